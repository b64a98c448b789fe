package cli

import (
	"context"
	"io"
	"net/http"
	"sync"
)

// inProcess sends requests to a handler of this process. The response's body is read
// while the handler writes it, so that streams work as over a network.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	read, write := io.Pipe()
	w := &response{
		header: http.Header{}, body: write, ready: make(chan struct{}),
		got: &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1},
	}
	done := make(chan struct{})
	w.got.Body = &responseBody{PipeReader: read, stop: cancel, done: done}
	in := r.Clone(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI, in.RemoteAddr = in.URL.RequestURI(), "127.0.0.1:0"
	go func() {
		defer close(done)
		defer cancel()
		defer in.Body.Close()
		defer func() {
			if v := recover(); v == http.ErrAbortHandler { //nolint:errorlint // the panic's value is this very one
				_ = write.CloseWithError(io.ErrUnexpectedEOF) // it never fails
			} else if v != nil {
				panic(v)
			}
		}()
		t.handler.ServeHTTP(w, in)
		w.WriteHeader(http.StatusOK)
		_ = write.CloseWithError(ctx.Err()) // nil is the end; it never fails
	}()
	select {
	case <-w.ready:
		return w.got, nil
	case <-r.Context().Done():
		_ = w.got.Body.Close() // the handler's writes fail from here on
		return nil, context.Cause(r.Context())
	}
}

// responseBody ends the handler's context when nobody reads any more, and waits for what
// the handler still has to do: that it was asked is noted after the answer.
type responseBody struct {
	*io.PipeReader

	stop context.CancelFunc
	done <-chan struct{}
}

func (b *responseBody) Close() error {
	b.stop()
	err := b.PipeReader.Close()
	<-b.done
	return err
}

// response is what the handler writes to.
type response struct {
	header http.Header
	body   *io.PipeWriter
	once   sync.Once
	ready  chan struct{} // closed when got is complete but for its body
	got    *http.Response
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	w.once.Do(func() {
		w.got.StatusCode, w.got.Status = status, http.StatusText(status)
		w.got.Header = w.header.Clone()
		close(w.ready)
	})
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// Flush sends the header; what is written is never kept back.
func (w *response) Flush() { w.WriteHeader(http.StatusOK) }
