package sim_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	plant = flag.Bool("mutants", false, "plant known faults one at a time; each must be found")
	every = flag.Int("every", 1, "plant one fault of so many")
	from  = flag.Int("from", 0, "number of the first one")
)

// edit is a change of one place in one file; old must stand there exactly once.
type edit struct{ file, old, new string }

// mutant is a planted fault, and the tests that must find it.
type mutant struct {
	name  string
	by    string // package; empty: the simulation
	edits []edit
}

const (
	memoryTests   = "./internal/store/memory"
	limitTests    = "./internal/limit"
	engineTests   = "./internal/engine"
	scheduleTests = "./internal/schedule"
	rootTests     = "."
	slotTests     = "./internal/slot"
	keyTests      = "./internal/store/postgres"
	crowdTests    = "the crowd" // of the simulation
	flightTests   = "./internal/flight"
	clusterTests  = "./internal/cluster"
)

var mutants = []mutant{
	{"epoch fence not checked", memoryTests, []edit{{
		"internal/store/memory/commit.go",
		"case r.row.Epoch != t.Epoch:", "case false:",
	}}},
	{"attempt fence not checked", memoryTests, []edit{{
		"internal/store/memory/commit.go",
		"case row.Attempt != w.WasAttempt || row.Gen != w.WasGen:", "case false:",
	}}},
	{"child counted twice on a doubled answer", "", []edit{{
		"internal/engine/finish.go",
		"if counts = t.phase == claimed && job == t.job; counts {\n\t\tt.endSlots()", "if counts = job == t.job; counts {\n\t\tt.endSlots()",
	}}},
	{"told before committed", "", []edit{{
		"internal/engine/effects.go",
		"\tc.end = endOf(r.state, &cell)\n", "\tc.end = endOf(r.state, &cell)\n\tr.handle.is(c.end, nil)\n",
	}}},
	{"CLOSING frame never swept at recovery", "", []edit{{
		"internal/engine/children.go",
		"rec.ending = append(rec.ending, g)", "_ = rec.ending",
	}}},
	{"finally only on success", "", []edit{{
		"internal/pipeline/machine.go",
		"\t\tif f.Chain.Finally == nil {\n\t\t\treturn leave", "\t\tif f.Chain.Finally == nil || out.Status != Done {\n\t\t\treturn leave",
	}}},
	{"idempotency key from a counter", "", []edit{{
		"internal/engine/task.go",
		"ID: r.taskID(seq),", "ID: r.taskID(seq + r.e.claimed.Load()),",
	}}},
	{"wake-up lost when a child ends", "", []edit{{
		"internal/engine/dispatch.go",
		"if g.startable() && !g.enlisted {", "if g.startable() && !g.enlisted && n > 1 {",
	}}},
	{"second half of a halved batch lost", "", []edit{{
		"internal/engine/commit.go",
		"\te.commit(batch[half:], transitions[half:])\n", "",
	}}},
	{"cancelled run starts the next step", "", []edit{
		{"internal/pipeline/machine.go", "if f.Cancelled && !final {", "if f.Cancelled && final {"},
		{"internal/engine/finish.go", "case !t.shielded():", "case t.cause != nil && !t.shielded():"},
	}},
	{"paused run dispatches", "", []edit{{
		"internal/engine/dispatch.go",
		"r.lanes.parked = parked", "r.lanes.parked = false",
	}}},
	{"a crash forgets the pause", "", []edit{{
		"internal/engine/recover.go",
		"r.lanes.parked = true", "r.lanes.parked = false",
	}}},
	{"attempt forgotten after a crash", "", []edit{{
		"internal/engine/recover.go",
		"t.row, t.was, t.attempt = true, standOf(row), row.Attempt\n", "t.row, t.was, t.attempt = true, standOf(row), 1\n",
	}}},
	{"retry not scheduled again after a crash", "", []edit{{
		"internal/engine/recover.go",
		"t.deadline = rec.e.timers.after(time.UnixMicro(t.cell.Seldom().Due), t.rise)", "_ = time.UnixMicro",
	}}},
	{"group results in completion order", "", []edit{{
		"internal/engine/group.go",
		"\tk.values[i], k.failures[i]", "\tfor i = 0; k.values[i].Data != nil || k.failures[i] != nil; i++ {\n\t}\n\tk.values[i], k.failures[i]",
	}}},
	{"state of a failed attempt kept", "", []edit{
		{"internal/worker/execute.go", "answer.State, answer.SetState, answer.Merge, answer.Pause = nil, false, false, false", "answer.Pause = false"},
		{"internal/engine/finish.go", "\t\tend.Outcome = failed(a.Failure)\n", "\t\tend.Outcome = failed(a.Failure)\n\t\tend.SetState, end.State = a.SetState, pipeline.State{Data: a.State, Set: true}\n"},
	}},
	{"tail call drops the state to report", "", []edit{{
		"internal/pipeline/frame.go",
		"f.Report, f.HasReport = outer, true", "f.HasReport = true",
	}}},
	{"state of a failed child pipeline kept", "", []edit{{
		"internal/engine/effects.go",
		"\tpipeline.Restore(t.frame, pipeline.State{Data: t.first.State, Merge: t.merges, Set: t.stated})\n", "",
	}}},
	{"retry of a child pipeline forgotten after a crash", "", []edit{{
		"internal/pipeline/frame.go",
		"= f.Task(place).retriesChild(), f.Task", "= f.Task(place).retriesChild() && c.Slots%2 == 0, f.Task",
	}}},
	{"attempts counted anew for a child pipeline after a crash", "", []edit{{
		"internal/engine/records.go",
		"\tt.was, t.attempt = standOf(row), row.Attempt\n", "\tt.was, t.attempt = standOf(row), 1\n",
	}}},
	{"ended call of a flow made again", "", []edit{{
		"internal/engine/flow.go",
		"if cl != nil && cl.final() {", "if cl != nil && cl.final() && cl.order%2 == 0 {",
	}}},
	{"order of a flow's calls forgotten", "", []edit{{
		"internal/engine/flow.go",
		"\tcl.fl.order++\n\tcl.order, cl.stored", "\tcl.order, cl.stored",
	}}},
	{"lent flow's calls made again when its process goes", engineTests, []edit{{
		"internal/engine/flow.go",
		"if round := t.round(); fl.round != round {", "if round := t.round(); round > 0 {",
	}}},
	{"lent flow keeps its process from closing", engineTests, []edit{{
		"internal/engine/engine.go",
		"return x.flow != nil }", "return x == nil }",
	}}},
	{"flow lent that could be where its run is", engineTests, []edit{{
		"internal/engine/dispatch_lend.go",
		"case t.call.Flow && e.dispatch.serves(t.call.Lane.Queue) && !e.dispatch.drains(), ", "case ",
	}}},
	{"job lent that is over", engineTests, []edit{{
		"internal/engine/lend_mail.go",
		"\t\t\te.lending.take(from, in.Number)\n", "",
	}}},
	{"run of who only submits is not handed over", engineTests, []edit{{
		"internal/engine/handover.go",
		"\tc.NewRun.Loose = true\n", "",
	}}},
	{"flow ends before its calls", "", []edit{{
		"internal/engine/flowend.go",
		"if fl == nil || fl.open == 0 {", "if fl == nil || fl.open < 3 {",
	}}},
	{"failed call of a flow's earlier attempt replayed", "", []edit{{
		"internal/engine/stale.go",
		"cl.round != now &&", "cl.round > now &&",
	}}},
	{"idempotency key of a flow's call from its number", "", []edit{{
		"internal/engine/task.go",
		"\tt.first.Idempotency = cl.fl.t.first.IdempotencyKey() + \"/\" + cl.key\n", "",
	}}},
	{"what a flow observed forgotten", "", []edit{{
		"internal/engine/flowload.go",
		"fl.notes[cell.Call.Key] = clone(cell.Result.Data)", "_ = clone(cell.Result.Data)",
	}}},
	{"subflow known by a key that is not durable", "", []edit{{
		"internal/engine/flow.go",
		"cl.single = cl.one && !chain.Steps[0].Task.Flow", "cl.single = cl.one",
	}}},
	{"handler not skipped on success", "", []edit{{
		"internal/pipeline/machine.go",
		"case s.OnError != (out.Status == Failed):", "case !s.OnError && out.Status == Failed:",
	}}},
	{"second token answer accepted", "", []edit{{
		"internal/engine/token.go",
		"case x.Answer != nil:", "case x.Answer != nil && t.attempt > 9:",
	}}},
	{"recovery starts children twice", "", []edit{{
		"internal/engine/children.go",
		"return g.skipped.has(i) }", "return i < 0 }",
	}}},
	{"limit forgotten after a crash", "", []edit{{
		"internal/engine/children.go",
		"g.active, g.owed = alive,", "g.active, g.owed = 0,",
	}}},
	{"body starts before its run is committed", "", []edit{{
		"internal/engine/submit.go",
		"\te.queue.push(c)\n\treturn r, nil", "\te.queue.push(c)\n\te.enqueue(r, c.starts)\n\treturn r, nil",
	}}},
	{"task runs whose queue nobody serves", "", []edit{{
		"internal/engine/lane.go",
		"case d.serves(queue):", "case d.serves(queue) || priority > 0:",
	}}},
	{"worker awaited though nobody serves the queue", "", []edit{{
		"internal/engine/why.go",
		"case !e.dispatch.served(t.call.Lane.Queue):", "case false:",
	}}},
	{"child of several queues runs where its group stands", "", []edit{{
		"internal/engine/claim.go",
		"if !g.lane.takes(t) {", "if false {",
	}}},
	{"slot not given back", "", []edit{{
		"internal/engine/finish.go",
		"\tt.freeSlots(c)\n", "",
	}}},
	{"wake-up lost when a slot is freed", "", []edit{{
		"internal/engine/limits.go",
		"e.dispatch.unwait(t.run, t)", "e.dispatch.unwait(t.run)",
	}}},
	{"slot taken though all are", "", []edit{{
		"internal/limit/table.go",
		"len(l.active) >= l.limit ||", "len(l.active) > l.limit ||",
	}}},
	{"slot taken that a lower limit has not", limitTests, []edit{{
		"internal/limit/set.go",
		"\ttouched = append(touched, t.revoke(tag, n)...)\n", "",
	}}},
	{"slot forgotten that waits for an answer", "", []edit{{
		"internal/engine/recover.go",
		"\t\trec.e.holdSlots(t)\n", "",
	}}},
	{"aborted task taken for a cancelled one after a crash", engineTests, []edit{{
		"internal/engine/ends.go",
		"if cell.Seldom().Failure != nil { // by", "if row.Gen < 0 && cell.Seldom().Failure != nil { // by",
	}}},
	{"older waiter passed", limitTests, []edit{{
		"internal/limit/table.go",
		" || len(l.queue) > 0 && l.queue[0].ticket < c.ticket)", ")",
	}}},
	{"turn under a cache key not given back", "", []edit{{
		"internal/engine/finish.go",
		"\tt.freeTurn(c)\n", "",
	}}},
	{"turn kept by a paused run", "", []edit{{
		"internal/engine/limits.go",
		"\te.parkTurns(r, parked)\n", "",
	}}},
	{"two bodies under a cache key", "", []edit{{
		"internal/flight/table.go",
		"\tif l.holder == nil && !t.away {\n\t\tl.holder, c.stage = c, granted\n\t\treturn Granted", "\tif l.holder != c {\n\t\tl.holder, c.stage = c, granted\n\t\treturn Granted",
	}}},
	{"value in the cache of what failed", rootTests, []edit{{
		"internal/engine/finish.go",
		"\tif state == api.Completed && end.Child == nil {\n\t\tt.keepResult", "\tif end.Child == nil {\n\t\tt.keepResult",
	}}},
	{"expired value taken from the cache", rootTests, []edit{{
		"internal/engine/entries.go",
		"entry == nil || !entry.Live(e.now()))", "entry == nil)",
	}}},
	{"kill switch trips one failure late", "", []edit{{
		"internal/engine/killswitch.go",
		"g.frame.Group.Tripped(g.count, g.over, g.failed)", "g.frame.Group.Tripped(g.count, g.over, g.failed-1)",
	}}},
	{"children of a stopped group begin", "", []edit{{
		"internal/engine/killswitch.go",
		"\tg.stop(c)\n", "",
	}}},
	{"steps of a stopped group begin", "", []edit{{
		"internal/engine/claim.go",
		"if t.phase != ready || !t.shielded() {", "if t.phase != ready {",
	}}},
	{"failures before a retry count", "", []edit{{
		"internal/engine/retry_group.go",
		"w.State, w.Failed, w.Low, w.Cell = store.FrameOpen, int64(stay.failed), 0, nil", "w.State, w.Low, w.Cell = store.FrameOpen, 0, nil",
	}}},
	{"retry from a task run keeps what follows it", "", []edit{{
		"internal/engine/retry_from.go",
		"\ta.onward(f, at.Place+1)\n", "",
	}}},
	{"retry from a task run does the other children again", "", []edit{{
		"internal/engine/retry_from.go",
		"return (a.line != nil || of.Settle) &&", "return of.Settle &&",
	}}},
	{"retry of all keeps groups", "", []edit{{
		"internal/engine/retry.go",
		"\trow.State = store.FrameVoid\n", "\trow.State = store.FrameDone\n",
	}}},
	{"a flow calls on in a group that was stopped", "", []edit{{
		"internal/engine/control.go",
		"\t\t\tspread(t.flow.frame, seen)\n", "",
	}}},
	{"cancelled children of a stopped group called completed", "", []edit{{
		"internal/engine/assemble.go",
		"case end.cancelled:", "case end.cancelled && !end.known:",
	}}},
	{"kill switch that tripped is not written", "", []edit{{
		"internal/engine/killswitch.go",
		"\tc.Frames = append(c.Frames, store.FrameWrite{FrameRow: row, Op: store.UpdateFrame})\n", "\t_, _ = row, store.UpdateFrame\n",
	}}},
	{"children that a cancellation took off brought back", rootTests, []edit{{
		"internal/engine/children.go",
		"\tif len(order) <= pending {\n", "\tif true {\n",
	}}},
	{"counts of a kill switch lost in a crash", "", []edit{{
		"internal/engine/killswitch.go",
		"\tg.over, g.failed = int(row.Count-row.Pending), int(row.Failed)\n", "",
	}}},
	{"slots of a body's end not given back", "", []edit{{
		"internal/engine/finish.go",
		"\t\tt.endSlots()\n", "",
	}}},
	{"slots of a body that was given up kept", engineTests, []edit{{
		"internal/engine/control.go",
		"\tt.endSlots()\n", "",
	}}},
	{"global slots taken though all are", "", []edit{{
		"internal/slot/ask.go",
		"return left >= 0 &&", "return left >= -1 &&",
	}}},
	{"global slots not counted", "", []edit{{
		"internal/slot/ask.go",
		"\t\t\tp.holders[c] = true\n", "\t\t\tp.holders[c] = c.Slots < 3\n",
	}}},
	{"bodies wait for each other for ever", "", []edit{{
		"internal/slot/stuck.go",
		"if len(o.claims) < 2 || !o.waits() {", "if len(o.claims) < 5 || !o.waits() {",
	}}},
	{"wake-up lost when time brings slots", "", []edit{{
		"internal/engine/slots.go",
		"e.timers.after(w.At, func() { e.slotsDue(w.Name) })", "e.timers.after(w.At, func() {})",
	}}},
	{"older one passed on a global limit", slotTests, []edit{{
		"internal/slot/ask.go",
		"if t.first(c) && t.room(c, now) {\n\t\tt.take(c, now)\n\t\treturn Granted, \"\", t.settle(Change{}, c.Names, now)\n\t}\n\talone", "if t.room(c, now) {\n\t\tt.take(c, now)\n\t\treturn Granted, \"\", t.settle(Change{}, c.Names, now)\n\t}\n\talone",
	}}},
	{"decay begins anew with a change", slotTests, []edit{{
		"internal/slot/set.go",
		"if was := p.def.Per; was != def.Per {", "if was := p.def.Per; was >= 0 {\n\t\tp.clear = time.Time{}",
	}}},
	{"failure that finally replaces is lost", "", []edit{{
		"internal/pipeline/machine.go",
		"if f.Final.Status == Failed {", "if f.Final.Status == Cancelled {",
	}}},
	{"a live run is expired", "", []edit{{
		"internal/store/memory/expire.go",
		"if !r.row.State.Final() || r.row.Finished >= before {", "if r.row.Finished >= before {",
	}}},
	{"a removed run leaves task runs", "", []edit{{
		"internal/store/memory/expire.go",
		"grave{id, r.blocks}", "grave{id, r.blocks[1:]}",
	}}},
	{"cursor of a schedule not written with its run", "", []edit{{
		"internal/engine/schedules_step.go",
		"return []store.RecordWrite{w}, err", "return []store.RecordWrite{w}[1:], err",
	}}},
	{"live run of a schedule not noted with it", "", []edit{{
		"internal/engine/submit.go",
		"append(records, r.liveWrites(true)...)", "records",
	}}},
	{"run of a schedule that is retried is not live", engineTests, []edit{{
		"internal/engine/retry.go",
		"\tagain.c.Records = r.liveWrites(true)\n", "",
	}}},
	{"run of a schedule made by what that was before", engineTests, []edit{{
		"internal/engine/schedules.go",
		"Key: x.name, Check: true, Was: x.text}", "Key: x.name}",
	}}},
	{"every process makes the runs of schedules", engineTests, []edit{{
		"internal/engine/duties.go",
		"KeeperSession()\n\treturn self", "KeeperSession()\n\treturn self || true",
	}}},
	{"the next keeper does not read the schedules", engineTests, []edit{{
		"internal/engine/duties.go",
		"\te.schedules.markAll()\n", "",
	}}},
	{"keeper that drains is not followed", engineTests, []edit{{
		"internal/engine/engine.go",
		"e.loops.Go(e.letGo)", "_ = e.letGo",
	}}},
	{"turns given before all have stated theirs", flightTests, []edit{{
		"internal/flight/lead.go",
		"if !t.leads || !t.call.Ends(sessions) {", "if t.call.Ends(sessions); !t.leads || !t.away {",
	}}},
	{"what is under a key handed on past another process", flightTests, []edit{{
		"internal/flight/table.go",
		"if !foreign(c) {", "if c != nil {",
	}}},
	{"state under a task id not read after another process", engineTests, []edit{{
		"internal/engine/keyed.go",
		"c != nil && c.Knows {", "c != nil && (c.Knows || c.Key != \"\") {",
	}}},
	{"slots given before all have stated theirs", slotTests, []edit{{
		"internal/slot/kept.go",
		"case !k.Settled():", "case c.Owner == nil:",
	}}},
	{"used rates forgotten with the keeper", engineTests, []edit{{
		"internal/engine/slots_shared.go",
		"if known && x.At", "if known && e == nil && x.At",
	}}},
	{"turns kept by who is not the keeper any more", engineTests, []edit{{
		"internal/engine/turns.go",
		"\t\tx.keeper = 0\n\t}\n\tx.table.Follow()\n", "\t\tx.keeper = 0\n\t}\n",
	}}},
	{"who has just joined can't be asked", clusterTests, []edit{{
		"internal/cluster/request.go",
		"if !n.mayLive(to) {", "if !lives(n.Live(), to) {",
	}}},
	{"record changed that is not as expected", memoryTests, []edit{{
		"internal/store/memory/records.go",
		"if w.Check && (", "if w.Check && s == nil && (",
	}}},
	{"wake-up lost when the run ends that a time waits for", "", []edit{{
		"internal/engine/advance.go",
		"e.lookAt(r.made.Name)", "_ = e.lookAt",
	}}},
	{"paused schedule makes runs", "", []edit{{
		"internal/engine/schedules_step.go",
		"if x.rec.Paused || x.table == nil {", "if x.table == nil {",
	}}},
	{"run of a schedule that the store refused is not tried again", "", []edit{{
		"internal/engine/schedules_turn.go",
		"\ts.at(x, s.e.now().Add(x.delay))\n", "",
	}}},
	{"run not cancelled that a time waits for", "", []edit{{
		"internal/engine/schedules_step.go",
		"rec.Overlap == api.OverlapCancel && !x.told:", "rec.Overlap == api.OverlapCancel && x.told:",
	}}},
	{"times that pass in a pause not counted", "", []edit{{
		"internal/engine/schedules_api.go",
		"rec.Missed += x.table.Passed(", "_ = x.table.Passed(",
	}}},
	{"schedule goes on from where a clock was set back to", engineTests, []edit{{
		"internal/engine/schedules_api.go",
		"max(rec.Cursor, now.UnixMicro()), false", "now.UnixMicro(), false",
	}}},
	{"run made for both of a time that comes twice", scheduleTests, []edit{{
		"internal/schedule/zone.go",
		"if earlier.Before(start) &&", "if earlier.After(start) &&",
	}}},
	{"time to begin forgotten in a restart", "", []edit{{
		"internal/engine/recover.go",
		"case row.State == api.Scheduled:", "case row.State == api.Scheduled && row.Attempt > 1:",
	}}},
	{"call that waits for its time counted for its group for ever", rootTests, []edit{{
		"internal/engine/start.go",
		"t.run.e.dispatch.aside(t.among(), -1)", "_ = t.among()",
	}}},
	{"lent jobs of who is gone not taken back", crowdTests, []edit{{
		"internal/engine/lend.go",
		"\tfor _, job := range jobs {\n\t\te.takeBack(job)\n\t}\n}\n\n// lendLoop", "\t_ = jobs\n}\n\n// lendLoop",
	}}},
	{"new keeper is not told what is had", crowdTests, []edit{{
		"internal/engine/keeper.go",
		"case changed:\n\t\te.stateSlots()\n", "case changed:\n",
	}}},
	{"a session that was given up commits", crowdTests, []edit{{
		"internal/store/memory/session.go",
		"return nil, err\n\t}\n\treturn p.commit(batch, p.id)", "_ = err\n\t}\n\treturn p.commit(batch, p.id)",
	}}},
	{"task run looked for without its run", keyTests, []edit{{
		"internal/store/postgres/statements.go",
		"WHERE t.run = v.run AND t.id = v.id AND", "WHERE t.id = v.id AND",
	}}},
}

// mutantSeeds are tried for each fault; the one that fails is tried without it too: a
// seed that fails anyway would find them all.
const mutantSeeds = 2000

// TestMutantsFit: what they change is there, once.
func TestMutantsFit(t *testing.T) {
	for _, m := range mutants {
		for _, e := range m.edits {
			text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(e.file)))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), e.old); n != 1 {
				t.Errorf("%s: %s has %q %d times", m.name, e.file, e.old, n)
			}
		}
	}
}

// TestMutants plants the faults, each in a tree of its own made by an overlay.
func TestMutants(t *testing.T) {
	if !*plant {
		t.Skip("runs with -mutants")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var chosen []mutant
	for i := *from % *every; i < len(mutants); i += *every {
		chosen = append(chosen, mutants[i])
	}
	table := make([]string, len(chosen))
	t.Run("planted", func(t *testing.T) {
		for i, m := range chosen {
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				table[i] = fmt.Sprintf("%-42s %s", m.name, search(t, root, m))
			})
		}
	})
	t.Logf("%d of %d faults planted:\n%s", len(chosen), len(mutants), strings.Join(table, "\n"))
}

// search runs the tests that must find a fault, and says how they did.
func search(t *testing.T, root string, m mutant) string {
	t.Helper()
	out, err := trial{by: m.by, overlay: overlay(t, root, m.edits), first: 1, seeds: mutantSeeds}.run(t, root)
	var failed *exec.ExitError
	switch {
	case err == nil:
		t.Error("not found")
		return "NOT FOUND"
	case !errors.As(err, &failed):
		t.Fatal(err)
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		t.Fatalf("does not compile:\n%s", out)
	}
	sound := trial{by: m.by, first: 1, seeds: mutantSeeds} // all, if it does not say what found it, as after a panic
	if n := found.FindStringSubmatch(out); n != nil && m.by == "" {
		sound.first, _ = strconv.Atoi(n[1]) // it is digits
		sound.seeds = 1
	} else if n := failing.FindStringSubmatch(out); n != nil {
		sound.only = "^" + n[1] + "$"
	}
	if out, err := sound.run(t, root); err != nil {
		t.Fatalf("%+v fails without a planted fault: %v\n%s", sound, err, out)
	}
	return finding(m.by, out)
}

var (
	found   = regexp.MustCompile(`seed (\d+): ([^\n]*)`)
	failing = regexp.MustCompile(`(?m)^--- FAIL: (\w+)`)
)

// finding says who found a fault, from the output of the tests.
func finding(by, out string) string {
	if m := found.FindStringSubmatch(out); m != nil {
		return fmt.Sprintf("simulation, seed %s: %.90s", m[1], m[2])
	}
	for line := range strings.Lines(out) {
		if _, name, ok := strings.Cut(line, "--- FAIL: "); ok {
			return by + ": " + strings.TrimSpace(name)
		}
	}
	return by + ": panic or time-out"
}

// trial is the tests that find a fault, in another process.
type trial struct {
	by, overlay, only string
	first, seeds      int // of the simulation
}

func (x trial) run(t *testing.T, root string) (string, error) {
	t.Helper()
	args := []string{"test", "-count=1", "-timeout=5m", "-vet=off", "-failfast"}
	if x.overlay != "" {
		args = append(args, "-overlay="+x.overlay)
	}
	switch x.by {
	case "":
		args = append(args, "./internal/sim", "-run", "TestSeeds", fmt.Sprintf("-seed=%d", x.first), fmt.Sprintf("-seeds=%d", x.seeds))
	case crowdTests:
		args = append(args, "./internal/sim", "-run", "TestCrowd$", "-crowds=300", "-engines=6")
	case rootTests: // all of them take long
		args = append(args, x.by, "-run", cmp.Or(x.only, "TestKillSwitches|TestCacheKe|TestStartOfMany"))
	case keyTests:
		args = append(args, x.by, "-run", cmp.Or(x.only, "TestRandom"))
	default:
		args = append(args, x.by, "-run", cmp.Or(x.only, "."))
	}
	if slices.Contains([]string{limitTests, slotTests, keyTests, flightTests}, x.by) {
		args = append(args, "-rapid.nofailfile") // it is a planted fault's
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// overlay writes the changed files and says where they stand for the others.
func overlay(t *testing.T, root string, edits []edit) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for i, e := range edits {
		path := filepath.Join(root, filepath.FromSlash(e.file))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), e.old); n != 1 {
			t.Fatalf("%s has %q %d times; adapt the mutant", e.file, e.old, n)
		}
		changed := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(changed, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[path] = changed
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
