package limits_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/runnel-dev/runnel/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"runnel": func() { cli.Main() }})
}

// TestLimitsByCommandAndByCurl runs the script: seed 002's calls both ways.
func TestLimitsByCommandAndByCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("the script needs curl: apt-get install curl")
	}
	cmd := exec.Command("sh", "limits.sh")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := string(out)
	for _, mask := range []struct{ is, as string }{
		{`"\d{4}-\d\d-[^"]*"`, `TIME`},
		{`\b(now|\d+(\.\d)?s ago)\b`, `SPAN`},
		{` +`, ` `},
	} {
		got = regexp.MustCompile(mask.is).ReplaceAllString(got, mask.as)
	}
	// Standard error is in between: only what it says, not when.
	got = strings.TrimSpace(strings.ReplaceAll(got, "no concurrency limits\n", ""))
	if got != strings.TrimSpace(want) {
		t.Errorf("the script gives\n%s\nwant\n%s", got, want)
	}
}

const want = `
$ runnel concurrency-limit create small_instance 10
created limit on tag "small_instance": 10

$ runnel concurrency-limit ls
TAG LIMIT IN USE WAITING MEDIAN HOLD UPDATED
small_instance 10 0 0 SPAN

$ runnel concurrency-limit read small_instance
tag small_instance
created SPAN
updated SPAN
limit 10
in use 0
waiting 0

$ runnel concurrency-limit create small_instance 5
updated limit on tag "small_instance": 10 -> 5

$ runnel concurrency-limit delete small_instance
deleted limit on tag "small_instance"

$ runnel concurrency-limit ls

$ curl -X POST $RUNNEL_SERVER/api/v1/limits -d '{"tag":"small_instance","limit":10}'
{"tag":"small_instance","limit":10,"active":0,"waiting":0,"created":TIME,"updated":TIME}
201

$ curl -X GET $RUNNEL_SERVER/api/v1/limits
{"items":[{"tag":"small_instance","limit":10,"active":0,"waiting":0,"created":TIME,"updated":TIME}],"next_cursor":null}
200

$ curl -X GET $RUNNEL_SERVER/api/v1/limits/small_instance
{"tag":"small_instance","limit":10,"active":0,"active_slots":[],"waiting":0,"created":TIME,"updated":TIME}
200

$ curl -X PUT $RUNNEL_SERVER/api/v1/limits/small_instance -d '{"limit":5}'
{"tag":"small_instance","limit":5,"active":0,"waiting":0,"created":TIME,"updated":TIME}
200

$ curl -X DELETE $RUNNEL_SERVER/api/v1/limits/small_instance
204

$ curl -X GET $RUNNEL_SERVER/api/v1/limits
{"items":[],"next_cursor":null}
200
`
