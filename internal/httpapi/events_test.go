package httpapi_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// listen gives the stream's events as text, one after the other, until the test ends.
func (s *served) listen(t *testing.T, query, last string) <-chan string {
	t.Helper()
	header := http.Header{}
	if last != "" {
		header.Set("Last-Event-ID", last)
	}
	return s.listenAs(t, query, header)
}

// listenAs is listen with a header of one's own.
func (s *served) listenAs(t *testing.T, query string, header http.Header) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // the goroutine below does
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	events := make(chan string, 1000)
	go func() {
		defer resp.Body.Close()
		defer close(events)
		lines, text := bufio.NewScanner(resp.Body), ""
		for lines.Scan() {
			if lines.Text() != "" {
				text += lines.Text() + "\n"
				continue
			}
			events <- text
			text = ""
		}
	}()
	return events
}

// until gives the first event that holds all of some texts.
func until(t *testing.T, events <-chan string, texts ...string) string {
	t.Helper()
next:
	for e := range events {
		for _, text := range texts {
			if !strings.Contains(e, text) {
				continue next
			}
		}
		return e
	}
	t.Fatalf("the stream ended without %q", texts)
	return ""
}

func TestEventsTellOfRuns(t *testing.T) {
	s := serve(t)
	events := s.listen(t, "topic=runs", "")
	until(t, events, "event: reset") // what is read now is followed by all that comes
	id, _ := s.ran(t, task("double", "1"))
	until(t, events, "event: run.changed", id, `"state":"COMPLETED"`)
}

func TestEventsOfOneRun(t *testing.T) {
	s := serve(t)
	id, _, err := s.Submit(t.Context(), httpapi.Submission{Spec: task("held")})
	if err != nil {
		t.Fatal(err)
	}
	events := s.listen(t, "topic=run:"+id, "")
	until(t, events, "event: reset")
	other, _ := s.ran(t, task("double", "1"))
	if err := s.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for {
		e := until(t, events, "run.changed")
		if strings.Contains(e, other) {
			t.Errorf("an event of another run came: %s", e)
		}
		if strings.Contains(e, `"state":"CANCELLED"`) {
			return
		}
	}
}

func TestEventsGoOnAfterTheLastSeen(t *testing.T) {
	s := serve(t)
	events := s.listen(t, "topic=runs", "")
	until(t, events, "event: reset")
	first, _ := s.ran(t, task("double", "1"))
	seen := until(t, events, first, "COMPLETED")
	_, rest, _ := strings.Cut(seen, "id: ")
	last, _, _ := strings.Cut(rest, "\n")
	second, _ := s.ran(t, task("double", "2"))
	until(t, events, second, "COMPLETED") // so the hub has heard of it
	e := <-dropRetry(s.listen(t, "topic=runs", last))
	if !strings.Contains(e, second) {
		t.Errorf("the first event after %s is %q, want one of %s", last, e, second)
	}
	until(t, s.listen(t, "topic=runs", "1"), "event: reset")     // older than all that is known
	until(t, s.listen(t, "topic=runs", "never"), "event: reset") // no id
}

// dropRetry leaves out the stream's first words.
func dropRetry(events <-chan string) <-chan string {
	<-events
	return events
}

func TestEventsOfLimits(t *testing.T) {
	s := serve(t)
	if err := s.SetLimit(t.Context(), "math", 1); err != nil {
		t.Fatal(err)
	}
	events := s.listen(t, "topic=limits", "")
	until(t, events, "event: reset")
	s.ran(t, task("double", "1"))
	until(t, events, "event: limit.changed", `"tag":"math"`)
}

func TestStreamsEndWithTheEngine(t *testing.T) {
	s := serve(t)
	events := s.listen(t, "topic=runs", "")
	until(t, events, "event: reset")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.eng.Close(ctx)
	for range events {
	}
}

func TestClientHearsChanges(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	id := ""
	for change := range s.Changes(ctx) {
		switch {
		case change.All && id == "":
			id, _ = s.ran(t, task("double", "1"))
		case change.Run == id && change.State == api.Completed:
			return
		}
	}
	t.Error("the client did not hear that the run has completed")
}

func TestEventsOfDefinitions(t *testing.T) {
	s := serve(t)
	events := s.listen(t, "topic=limits", "")
	until(t, events, "event: reset")
	if err := s.SetLimit(t.Context(), "db", 1); err != nil {
		t.Fatal(err)
	}
	until(t, events, "event: limit.changed", `"tag":"db"`)
}
