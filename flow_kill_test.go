package runnel_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

const (
	flowKillVariable = "RUNNEL_FLOW_KILL" // the directory of the process to kill
	flowKillCalls    = 300
	flowKills        = 6
)

// A process with a flow is killed with SIGKILL, time and again. The flow goes on
// each time, with no call repeated that a later one has seen the result of; and
// the slot of its calls' tag, the only one, is neither lost nor doubled.
func TestFlowKilled(t *testing.T) {
	if dir := os.Getenv(flowKillVariable); dir != "" {
		flowToKill(t, dir)
		return
	}
	dir := t.TempDir()
	kills := 0
	for kill := range flowKills + 1 {
		out, killed := runToKill(t, dir, (kill+1)*flowKillCalls/(flowKills+1), kill == flowKills)
		if kill == flowKills && !strings.Contains(out, "result 45150, 0 slots of 1 taken, 0 wait") {
			t.Fatalf("the flow does not come to its end: %s", out)
		}
		if killed {
			kills++
		}
	}
	if kills < flowKills/2 { // one may come too late on a busy machine
		t.Errorf("the process was killed %d times, want %d", kills, flowKills)
	}
	begun, last := map[string]int{}, -1
	for _, line := range ledgerLines(t, dir) {
		var n int
		if _, err := fmt.Sscanf(line, "/0/step-%d", &n); err != nil {
			t.Fatalf("a body with the key %q", line)
		}
		// The call after this one begins once it is durable that this one ended.
		if n < last {
			t.Errorf("%s begins again after step-%d", line, last)
		}
		last = max(last, n)
		begun[line]++
	}
	if len(begun) != flowKillCalls {
		t.Errorf("%d bodies, want %d", len(begun), flowKillCalls)
	}
	again := 0 // a kill finds one body in progress, or none
	for _, n := range begun {
		again += n - 1
	}
	if again > flowKills {
		t.Errorf("%d bodies ran again after %d kills", again, flowKills)
	}
}

func ledgerLines(t *testing.T, dir string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "ledger"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// runToKill runs the flow in a process of its own, and kills it once the ledger
// has so many lines, unless it is to come to its end.
func runToKill(t *testing.T, dir string, lines int, toEnd bool) (output string, killed bool) {
	t.Helper()
	self, err := os.Executable()
	do(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFlowKilled$", "-test.v")
	cmd.Env = append(os.Environ(), flowKillVariable+"="+dir)
	stdout, err := cmd.StdoutPipe()
	do(t, err)
	do(t, cmd.Start())
	var out strings.Builder
	signaled := false
	in := bufio.NewScanner(stdout)
	for n := len(ledgerLines(t, dir)); in.Scan(); {
		fmt.Fprintln(&out, in.Text())
		if in.Text() != "." {
			continue
		}
		if n++; n >= lines && !toEnd && !signaled {
			signaled = true
			do(t, cmd.Process.Kill())
		}
	}
	_, _ = io.Copy(io.Discard, stdout)
	err = cmd.Wait()
	killed = err != nil && strings.Contains(err.Error(), "killed")
	if err != nil && !killed {
		t.Errorf("the process ends with %v: %s", err, out.String())
	}
	return out.String(), killed
}

// flowToKill is the flow, in the process that is killed.
func flowToKill(t *testing.T, dir string) {
	t.Helper()
	ledger, err := os.OpenFile(filepath.Join(dir, "ledger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	do(t, err)
	defer func() { do(t, ledger.Close()) }()
	step := runnel.NewTask2("step", func(ctx context.Context, sum, n int) (int, error) {
		if _, err := fmt.Fprintln(ledger, runnel.IdempotencyKey(ctx)[36:]); err != nil {
			return 0, err
		}
		_, err := fmt.Fprintln(os.Stdout, ".")
		return sum + n, err
	}, runnel.Tags("kill"))
	flow := runnel.NewFlow0("flow", func(f runnel.Flow) (sum int, err error) {
		for n := range flowKillCalls {
			if sum, err = step.Call(f, sum, n+1); err != nil {
				return 0, err
			}
		}
		return sum, nil
	})
	eng, err := runnel.Open(t.Context(), "sqlite:"+filepath.Join(dir, "flow.db"), runnel.Register(step, flow))
	do(t, err)
	defer func() { do(t, eng.Close(t.Context())) }()
	var run *runnel.Run[int]
	for last, err := range eng.Runs(t.Context(), api.RunFilter{Limit: 1}) {
		do(t, err)
		run, err = eng.Attach[int](t.Context(), last.ID)
		do(t, err)
	}
	if run == nil {
		do(t, eng.Limits().Create(t.Context(), "kill", 1))
		run, err = eng.Submit(t.Context(), flow.Send())
		do(t, err)
	}
	sum, err := run.Wait(t.Context())
	do(t, err)
	l, err := eng.Limits().Read(t.Context(), "kill")
	do(t, err)
	fmt.Fprintf(os.Stdout, "result %d, %d slots of %d taken, %d wait\n", sum, l.Active, l.Limit, l.Waiting)
}
