package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type eventsInput struct {
	Topic []string `query:"topic,explode" required:"true" minItems:"1" maxItems:"20" doc:"runs, run:ID, limits, schedules, workers"`
	Last  string   `header:"Last-Event-ID" doc:"The id of the event seen last: those after it come first"`
}

func (a *routes) eventRoutes(api huma.API) {
	o := op(http.MethodGet, "/events", "events", "events",
		"Hear what changes, as Server-Sent Events: run.changed, limit.changed, schedule.changed, worker.changed; reset: read everything again")
	o.Responses = map[string]*huma.Response{"200": {
		Description: "Events without end; a comment when nothing happens",
		Content:     map[string]*huma.MediaType{"text/event-stream": {}},
	}}
	do(a, api, o, a.events)
}

func (a *routes) events(_ context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	c, err := a.hub.join(in.Topic, in.Last)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer a.hub.leave(c)
		a.stream(hc, c)
	}}, nil
}

// stream sends events until the client goes, or is too slow, or the handler closes.
func (a *routes) stream(hc huma.Context, c *client) {
	w, ok := hc.BodyWriter().(http.ResponseWriter)
	if !ok {
		return
	}
	s := &eventWriter{w: w, control: http.NewResponseController(w)}
	for name, value := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
	} {
		hc.SetHeader(name, value)
	}
	hc.SetStatus(http.StatusOK)
	s.write([]byte("retry: 2000\n\n"))
	beat := time.NewTicker(a.opts.Heartbeat)
	defer beat.Stop()
	pace := time.NewTimer(0)
	defer pace.Stop()
	ctx := hc.Context()
	for s.err == nil {
		select {
		case <-ctx.Done():
			return
		case <-a.hub.ctx.Done():
			return
		case <-beat.C:
			s.write([]byte(": still here\n\n"))
			continue
		case <-c.wake:
		}
		s.write(a.hub.take(c))
		pace.Reset(calm)
		select { // what comes meanwhile is sent together
		case <-pace.C:
		case <-ctx.Done():
		case <-a.hub.ctx.Done():
		}
	}
}

// eventWriter writes the text of a stream.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	err     error
}

// write sends a piece at once.
func (s *eventWriter) write(text []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(text)
	}
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
