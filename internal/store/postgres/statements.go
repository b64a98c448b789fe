package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store"
	"github.com/runnel-dev/runnel/internal/store/staging"
)

// statements is one commit as it is sent: one statement for each kind of write,
// over as many rows as there are, in the order in which every commit locks.
type statements struct {
	pgx.Batch

	s    *Store
	step int // the statement whose answer is awaited
}

// firstFinal compares with the first of the final states.
func firstFinal(op string) string { return op + strconv.Itoa(int(api.Completed)) }

// planner has the server use the indexes, which is always right here. Without
// statistics of a table, as when it is new, it would rather join with a hash of
// all of it; and it would plan each statement anew each time. The settings end
// with the transaction, since the connection may be a pooler's; those of writers
// that have a connection of their own are always's.
const (
	planner = `set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
	set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true)`
	always = `set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),
	set_config('enable_mergejoin', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)`
)

// checked makes a statement fail that does not change as many rows as the last
// parameter says, by dividing by zero: then the whole transaction fails, of
// which the end is under way already.
func checked(change string, lastParam int) string {
	return "WITH u AS (" + change + " RETURNING 1) " + countIs("FROM u", lastParam)
}

func countIs(from string, lastParam int) string {
	return "SELECT 1 / (count(*) = $" + strconv.Itoa(lastParam) + ")::int " + from
}

const (
	takeTurn = `WITH u AS (UPDATE @.writer SET applied = $4 WHERE process = $1 AND id = $2 AND turn = $3 RETURNING 1)
		SELECT 1 / count(*) FROM u`
	takeTurnPooled = `WITH u AS (UPDATE @.writer SET applied = $4 WHERE process = $1 AND id = $2 AND turn = $3 RETURNING 1)
		SELECT 1 / count(*), ` + planner + " FROM u"

	putFrames = " ON CONFLICT (run, id) DO UPDATE SET state = excluded.state, pending = excluded.pending," +
		" failed = excluded.failed, low = excluded.low, cell = excluded.cell"

	addLogs = `INSERT INTO @.log (run, line, task_run, task, attempt, time, level, text)
		SELECT v.run, v.number + coalesce((SELECT max(l.line) FROM @.log l WHERE l.run = v.run), 0), v.task_run, v.task, v.attempt, v.time, v.level, v.text
		FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::int[], $6::bigint[], $7::bytea[], $8::bytea[])
			AS v(run, number, task_run, task, attempt, time, level, text)`
)

var (
	// A live run must be this process's; one that is final becomes so.
	runFits = "r.id = v.id AND r.epoch = v.was AND (r.state" + firstFinal("<") + " AND r.owner = $4 OR r.state" + firstFinal(">=") + " AND v.reopen)"

	setRuns = checked(`UPDATE @.run# r SET state = v.state, gen = v.gen, epoch = v.epoch, finished = v.finished, owner = $4, cell = v.cell
		FROM unnest($1::bigint[], $2::int[], $3::boolean[], $5::smallint[], $6::int[], $7::int[], $8::bigint[], $9::bytea[])
			AS v(id, was, reopen, state, gen, epoch, finished, cell) WHERE `+runFits, 10)
	checkRuns = countIs("FROM unnest($1::bigint[], $2::int[], $3::boolean[]) AS v(id, was, reopen) JOIN @.run# r ON "+runFits, 5)

	setTask = `UPDATE @.task# t SET state = v.state, attempt = v.attempt, gen = v.gen, cell = v.cell
		FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::int[], $5::int[], $6::bytea[], $7::int[], $8::int[])
			AS v(run, id, state, attempt, gen, cell, was_attempt, was_gen)
		WHERE t.run = v.run AND t.id = v.id AND t.attempt = v.was_attempt AND t.gen = v.was_gen AND t.state`
	setTasks    = checked(setTask+firstFinal("<"), 9)
	reopenTasks = checked(setTask+firstFinal(">="), 9)

	setFrames = checked(`UPDATE @.frame f SET state = v.state, cell = v.cell
		FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::bytea[]) AS v(run, id, state, cell)
		WHERE f.run = v.run AND f.id = v.id AND f.state <> `+strconv.Itoa(int(store.FrameDone)), 5)

	joinFrames = `WITH u AS (UPDATE @.frame f SET pending = f.pending - v.ended, failed = f.failed + v.failed, low = greatest(f.low, v.low),
			state = CASE WHEN f.pending = v.ended THEN ` + strconv.Itoa(int(store.FrameClosing)) + ` ELSE f.state END
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS v(run, id, ended, failed, low)
		WHERE f.run = v.run AND f.id = v.id AND f.state = ` + strconv.Itoa(int(store.FrameOpen)) + ` AND f.pending >= v.ended
		RETURNING f.run, f.id, f.pending)
		SELECT run, id FROM u WHERE pending = 0 UNION ALL SELECT 0, 1 / ((SELECT count(*) FROM u) = $6)::int`

	addRuns   = insert("run#", runColumns, runTypes)
	addTasks  = insert("task#", taskColumns, "bigint bigint bigint int bytea smallint int int bytea")
	addFrames = insert("frame", frameColumns, "bigint bigint bigint int smallint smallint bigint bigint bigint bigint bigint bigint bytea")
	addBlocks = insert("block", blockColumns, "bigint bigint bigint bigint bigint")
)

const (
	runTypes     = "bigint bytea bytea smallint int int bigint bigint bigint bigint bytea bytea"
	runColumns   = "id, uid, name, state, gen, epoch, base, created, finished, owner, plan, cell"
	taskColumns  = "id, run, frame, place, name, state, attempt, gen, cell"
	frameColumns = "run, id, parent, place, kind, state, base, source, count, pending, failed, low, cell"
	blockColumns = "run, first, count, seq, frame"
)

// insert makes a statement that inserts rows given as a list for each column.
func insert(table, columns, types string) string {
	lists := strings.Fields(types)
	for i, t := range lists {
		lists[i] = "$" + strconv.Itoa(i+1) + "::" + t + "[]"
	}
	return "INSERT INTO @." + table + " (" + columns + ") SELECT " + columns + " FROM unnest(" + strings.Join(lists, ", ") + ") AS v(" + columns + ")"
}

// alone is the key of a statement over lists in its form for a single row.
type alone string

// single makes a statement over lists one over a single row. Both sides have less to do
// with it, and whoever waits for one task waits for that.
func (s *Store) single(text string) string {
	if one, ok := s.texts.Load(alone(text)); ok {
		return one.(string) //nolint:forcetypeassert // nothing else is in it
	}
	before, rest, _ := strings.Cut(text, "unnest(")
	lists, after, _ := strings.Cut(rest, ")")
	one := before + "(VALUES (" + strings.ReplaceAll(lists, "[]", "") + "))" + after
	s.texts.Store(alone(text), one)
	return one
}

// add queues a statement if it has rows. Row is called for each row that it
// gives; nil if none matters.
func (st *statements) add(rows int, text string, row func(pgx.Rows) error, args ...any) {
	if rows > 0 {
		st.queue(st.s.sql(text), row, args)
	}
}

// addOf queues a statement over so many rows of runs in the lane of one; lists of its
// arguments are cells.
func (st *statements) addOf(run int64, rows int, text string, args ...any) {
	if rows == 1 {
		text = st.s.single(text)
	}
	st.queue(st.s.sqlOf(run, text), nil, args)
}

// cells gives a column, or of one row what single wants.
func cells[R, T any](rows []R, value func(*R) T) any {
	if len(rows) == 1 {
		return value(&rows[0])
	}
	return column(rows, value)
}

func (st *statements) queue(sql string, row func(pgx.Rows) error, args []any) {
	st.Queue(sql, args...).Query(func(answer pgx.Rows) error {
		for answer.Next() {
			if row != nil {
				if err := row(answer); err != nil {
					return err
				}
			}
		}
		if err := answer.Err(); err != nil {
			return err
		}
		st.step++
		return nil
	})
}

// addBatch makes a batch into statements; closed is told of the frames that the
// joins have brought to zero.
func (st *statements) addBatch(b *staging.Batch, closed func(store.FrameRef)) {
	st.addRuns(b)
	st.addTasks(b)
	st.addFrames(b, closed)
	st.add(len(b.Blocks), addBlocks, nil,
		column(b.Blocks, func(l *store.Block) int64 { return l.Run }),
		column(b.Blocks, func(l *store.Block) int64 { return l.First }),
		column(b.Blocks, func(l *store.Block) int64 { return l.Count }),
		column(b.Blocks, func(l *store.Block) int64 { return l.Seq }),
		column(b.Blocks, func(l *store.Block) int64 { return l.Frame }))
	st.addKeyed(b.Keyed)
	st.addRecords(b.Records, b.Dropped)
	st.add(len(b.Logs), addLogs, nil,
		column(b.Logs, func(l *staging.Log) int64 { return l.Run }),
		column(b.Logs, func(l *staging.Log) int64 { return l.Number }),
		column(b.Logs, func(l *staging.Log) []byte { return []byte(l.Line.TaskRun) }),
		column(b.Logs, func(l *staging.Log) []byte { return []byte(l.Line.Task) }),
		column(b.Logs, func(l *staging.Log) int32 { return int32(l.Line.Attempt) }),
		column(b.Logs, func(l *staging.Log) int64 { return l.Line.Time.UnixMicro() }),
		column(b.Logs, func(l *staging.Log) []byte { return []byte(l.Line.Level) }),
		column(b.Logs, func(l *staging.Log) []byte { return []byte(l.Line.Text) }))
}

// send sends the statements and reads the answers.
func (w *writer) send(st *statements) error {
	ctx, cancel := context.WithTimeout(w.s.ctx, writeTimeout)
	defer cancel()
	return w.conn.SendBatch(ctx, &st.Batch).Close()
}

// cell gives bytes as they are stored: none as NULL.
func cell(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func (st *statements) addRuns(b *staging.Batch) {
	byLane(b.NewRuns, runID, st.newRuns)
	byLane(b.SetRuns, runID, st.setRuns)
	byLane(b.CheckRuns, runID, st.checkRuns)
}

type run = *staging.Run

func runID(r *run) int64 { return (*r).ID }

func (st *statements) newRuns(of int64, rows []run) {
	st.addOf(of, len(rows), addRuns,
		cells(rows, runID),
		cells(rows, func(r *run) []byte { return (*r).Row.UID[:] }),
		cells(rows, func(r *run) []byte { return []byte((*r).Row.Name) }),
		cells(rows, func(r *run) int16 { return int16((*r).Row.State) }),
		cells(rows, func(r *run) int32 { return (*r).Row.Gen }),
		cells(rows, func(r *run) int32 { return (*r).Row.Epoch }),
		cells(rows, func(r *run) int64 { return (*r).Row.Base }),
		cells(rows, func(r *run) int64 { return (*r).Row.Created }),
		cells(rows, func(r *run) int64 { return (*r).Row.Finished }),
		cells(rows, func(r *run) int64 {
			if (*r).Row.Loose {
				return 0
			}
			return st.s.Session()
		}),
		cells(rows, func(r *run) []byte { return cell((*r).Row.Plan) }),
		cells(rows, func(r *run) []byte { return cell((*r).Row.Cell) }))
}

func (st *statements) setRuns(of int64, rows []run) {
	st.addOf(of, len(rows), setRuns,
		cells(rows, runID),
		cells(rows, func(r *run) int32 { return (*r).Was }),
		cells(rows, func(r *run) bool { return (*r).Reopen }),
		st.s.Session(),
		cells(rows, func(r *run) int16 { return int16((*r).Row.State) }),
		cells(rows, func(r *run) int32 { return (*r).Row.Gen }),
		cells(rows, func(r *run) int32 { return (*r).Row.Epoch }),
		cells(rows, func(r *run) int64 { return (*r).Row.Finished }),
		cells(rows, func(r *run) []byte { return cell((*r).Row.Cell) }),
		int64(len(rows)))
}

func (st *statements) checkRuns(of int64, rows []run) {
	st.addOf(of, len(rows), checkRuns,
		cells(rows, runID),
		cells(rows, func(r *run) int32 { return (*r).Was }),
		cells(rows, func(r *run) bool { return (*r).Reopen }),
		st.s.Session(),
		int64(len(rows)))
}

func (st *statements) addTasks(b *staging.Batch) {
	byLane(b.NewTasks, taskRun, st.newTasks)
	byLane(b.SetTasks, taskRun, func(of int64, rows []staging.Task) { st.changeTasks(of, setTasks, rows) })
	byLane(b.ReopenTasks, taskRun, func(of int64, rows []staging.Task) { st.changeTasks(of, reopenTasks, rows) })
}

func taskRun(t *staging.Task) int64 { return t.Run }

func (st *statements) newTasks(of int64, rows []staging.Task) {
	name, encoded := "", []byte{} // of the row before: mostly the same
	st.addOf(of, len(rows), addTasks,
		cells(rows, func(t *staging.Task) int64 { return t.ID }),
		cells(rows, taskRun),
		cells(rows, func(t *staging.Task) int64 { return t.Frame }),
		cells(rows, func(t *staging.Task) int32 { return t.Place }),
		cells(rows, func(t *staging.Task) []byte {
			if t.Task != name {
				name, encoded = t.Task, []byte(t.Task)
			}
			return encoded
		}),
		cells(rows, func(t *staging.Task) int16 { return int16(t.State) }),
		cells(rows, func(t *staging.Task) int32 { return t.Attempt }),
		cells(rows, func(t *staging.Task) int32 { return t.Gen }),
		cells(rows, func(t *staging.Task) []byte { return cell(t.Cell) }))
}

func (st *statements) changeTasks(of int64, text string, rows []staging.Task) {
	st.addOf(of, len(rows), text,
		cells(rows, taskRun),
		cells(rows, func(t *staging.Task) int64 { return t.ID }),
		cells(rows, func(t *staging.Task) int16 { return int16(t.State) }),
		cells(rows, func(t *staging.Task) int32 { return t.Attempt }),
		cells(rows, func(t *staging.Task) int32 { return t.Gen }),
		cells(rows, func(t *staging.Task) []byte { return cell(t.Cell) }),
		cells(rows, func(t *staging.Task) int32 { return t.WasAttempt }),
		cells(rows, func(t *staging.Task) int32 { return t.WasGen }),
		int64(len(rows)))
}

func (st *statements) addFrames(b *staging.Batch, closed func(store.FrameRef)) {
	type frame = staging.Frame
	for _, change := range []struct {
		text string
		rows []frame
	}{{addFrames, b.NewFrames}, {addFrames + putFrames, b.PutFrames}} {
		st.add(len(change.rows), change.text, nil,
			column(change.rows, func(f *frame) int64 { return f.Run }),
			column(change.rows, func(f *frame) int64 { return f.ID }),
			column(change.rows, func(f *frame) int64 { return f.Write.Parent }),
			column(change.rows, func(f *frame) int32 { return f.Write.Place }),
			column(change.rows, func(f *frame) int16 { return int16(f.Write.Kind) }),
			column(change.rows, func(f *frame) int16 { return int16(f.Write.State) }),
			column(change.rows, func(f *frame) int64 { return f.Write.Base }),
			column(change.rows, func(f *frame) int64 { return f.Write.Source }),
			column(change.rows, func(f *frame) int64 { return f.Write.Count }),
			column(change.rows, func(f *frame) int64 { return f.Write.Pending }),
			column(change.rows, func(f *frame) int64 { return f.Write.Failed }),
			column(change.rows, func(f *frame) int64 { return f.Write.Low }),
			column(change.rows, func(f *frame) []byte { return cell(f.Write.Cell) }))
	}
	st.add(len(b.SetFrames), setFrames, nil,
		column(b.SetFrames, func(f *frame) int64 { return f.Run }),
		column(b.SetFrames, func(f *frame) int64 { return f.ID }),
		column(b.SetFrames, func(f *frame) int16 { return int16(f.Write.State) }),
		column(b.SetFrames, func(f *frame) []byte { return cell(f.Write.Cell) }),
		int64(len(b.SetFrames)))
	st.add(len(b.JoinedFrames), joinFrames, func(row pgx.Rows) error {
		var ref store.FrameRef
		err := row.Scan(&ref.Run, &ref.Frame)
		if ref.Run != 0 { // 0 is of the check
			closed(ref)
		}
		return err
	},
		column(b.JoinedFrames, func(f *frame) int64 { return f.Run }),
		column(b.JoinedFrames, func(f *frame) int64 { return f.ID }),
		column(b.JoinedFrames, func(f *frame) int64 { return f.Join.Ended }),
		column(b.JoinedFrames, func(f *frame) int64 { return f.Join.Failed }),
		column(b.JoinedFrames, func(f *frame) int64 { return f.Join.Low }),
		int64(len(b.JoinedFrames)))
}
