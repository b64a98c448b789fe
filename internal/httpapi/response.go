package httpapi

import (
	"net/http"
	"strconv"
	"time"
)

// response remembers the status that goes out, and says with it how long it took to come
// to that.
type response struct {
	http.ResponseWriter

	now    func() time.Time
	began  time.Time
	status int
	failed error // of the last write
}

func (w *response) WriteHeader(status int) {
	if w.status != 0 { // huma gives another one when a client goes before it has all
		return
	}
	if status >= http.StatusOK {
		w.status = status
		ms := float64(w.now().Sub(w.began)) / float64(time.Millisecond)
		w.Header().Set("Server-Timing", "app;dur="+strconv.FormatFloat(ms, 'f', 2, 64))
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(b)
	w.failed = err
	return n, err
}

// Flush sends what is there.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush, for [http.ResponseController].
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
