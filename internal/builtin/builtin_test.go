package builtin_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/builtin"
)

func open(t *testing.T) *runnel.Engine {
	t.Helper()
	eng, err := runnel.Open(t.Context(), "memory:", runnel.Register(builtin.Tasks()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := eng.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return eng
}

func TestShell(t *testing.T) {
	eng := open(t)
	for name, c := range map[string]struct {
		command builtin.Command
		want    string
		fails   string
	}{
		"output":       {builtin.Command{Command: "echo one; echo two >&2"}, "one\n", ""},
		"arguments":    {builtin.Command{Command: `printf %s "$1"`, Args: []string{"; rm -rf x"}}, "; rm -rf x", ""},
		"environment":  {builtin.Command{Command: "echo $WHO", Env: map[string]string{"WHO": "me"}}, "me\n", ""},
		"directory":    {builtin.Command{Command: "pwd", Dir: "/"}, "/\n", ""},
		"input":        {builtin.Command{Command: "cat", Stdin: "in"}, "in", ""},
		"exit":         {builtin.Command{Command: "exit 3"}, "", "exit status 3"},
		"empty":        {builtin.Command{Command: " "}, "", "it is empty"},
		"no directory": {builtin.Command{Command: "true", Dir: "/nowhere"}, "", "can't be run"},
		"time-out":     {builtin.Command{Command: "sleep 60 & wait", Timeout: 1}, "", "took longer than 1ns"},
		"not UTF-8":    {builtin.Command{Command: `printf '\377'`}, "\uFFFD", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eng.Run(t.Context(), builtin.Shell.Send(c.command))
			switch {
			case c.fails != "":
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
			case err != nil || got.Stdout != c.want:
				t.Errorf("got %q %v, want %q", got.Stdout, err, c.want)
			}
		})
	}
}

func TestShellKeepsTheEnd(t *testing.T) {
	got, err := open(t).Run(t.Context(), builtin.Shell.Send(builtin.Command{Command: "head -c 100000 /dev/zero | tr '\\0' x; echo end"}))
	if err != nil || !got.Cut || len(got.Stdout) != 64<<10 || !strings.HasSuffix(got.Stdout, "end\n") {
		t.Errorf("%d characters, cut %t, %v", len(got.Stdout), got.Cut, err)
	}
}

func TestShellIsLogged(t *testing.T) {
	eng := open(t)
	run, err := eng.Submit(t.Context(), builtin.Shell.Send(builtin.Command{Command: "echo one; echo two >&2"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := ""
	for line, err := range eng.Logs(t.Context(), api.LogFilter{Run: run.ID()}) {
		if err != nil {
			t.Fatal(err)
		}
		text += line.Text + "\n"
	}
	if !strings.Contains(text, "one") || !strings.Contains(text, "two") {
		t.Errorf("the log is %q", text)
	}
}

func TestCancelEndsACommandAndWhatItStarted(t *testing.T) {
	eng := open(t)
	run, err := eng.Submit(t.Context(), builtin.Shell.Send(builtin.Command{Command: "echo begun; sleep 600 & wait"}))
	if err != nil {
		t.Fatal(err)
	}
	for line, err := range eng.FollowLogs(t.Context(), api.LogFilter{Run: run.ID()}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(line.Text, "begun") {
			break
		}
	}
	if err := run.Cancel(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := run.Wait(t.Context()); err == nil {
		t.Error("a cancelled command completed")
	}
}

func TestHTTP(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/json":
			w.Header().Set("X-Kind", "json")
			_ = json.NewEncoder(w).Encode(map[string]string{"method": r.Method, "body": string(body), "type": r.Header.Get("Content-Type"), "who": r.Header.Get("Who")})
		case "/text":
			_, _ = io.WriteString(w, "plain")
		case "/key":
			_, _ = io.WriteString(w, r.Header.Get("Idempotency-Key"))
		default:
			http.Error(w, "nothing here", http.StatusNotFound)
		}
	}))
	defer srv.Close()
	eng := open(t)
	for name, c := range map[string]struct {
		request builtin.Request
		want    string
		fails   string
	}{
		"get":        {builtin.Request{URL: srv.URL + "/json", Header: map[string]string{"Who": "me"}}, `{"body":"","method":"GET","type":"","who":"me"}`, ""},
		"post JSON":  {builtin.Request{URL: srv.URL + "/json", Body: json.RawMessage(`{"a":1}`)}, `{"body":"{\"a\":1}","method":"POST","type":"application/json","who":""}`, ""},
		"put text":   {builtin.Request{Method: "PUT", URL: srv.URL + "/json", Body: json.RawMessage(`"a b"`)}, `{"body":"a b","method":"PUT","type":"","who":""}`, ""},
		"text":       {builtin.Request{URL: srv.URL + "/text"}, `"plain"`, ""},
		"unexpected": {builtin.Request{URL: srv.URL + "/nowhere"}, "", "status 404 Not Found, not expected: nothing here"},
		"expected":   {builtin.Request{URL: srv.URL + "/nowhere", Expect: []int{404}}, `"nothing here\n"`, ""},
		"no URL":     {builtin.Request{URL: "file:///etc/passwd"}, "", "want http://"},
		"time-out":   {builtin.Request{URL: srv.URL + "/text", Timeout: 1}, "", "Timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := eng.Run(t.Context(), builtin.HTTP.Send(c.request))
			switch {
			case c.fails != "":
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
			case err != nil || strings.TrimSpace(string(got.Body)) != c.want:
				t.Errorf("got %s %v, want %s", got.Body, err, c.want)
			}
		})
	}
	got, err := eng.Run(t.Context(), builtin.HTTP.Send(builtin.Request{URL: srv.URL + "/key"}))
	if err != nil || len(got.Body) < 10 {
		t.Errorf("the idempotency key was %s, %v", got.Body, err)
	}
}
