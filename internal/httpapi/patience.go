package httpapi

import (
	"io"
	"net/http"
	"time"
)

// What a client may take, so that none holds a connection for ever: so long to send a
// body, and so long to take each piece of an answer.
const (
	bodyTime = 30 * time.Second
	patience = 30 * time.Second
	piece    = 32 << 10
)

// Patient serves what h does, and drops clients that are too slow. Who reads nothing is
// dropped; whoever reads a piece in time gets all, as late as it may be. A handler may take
// its time before it answers, and between two events.
func Patient(h http.Handler) http.Handler {
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		w := &patientWriter{ResponseWriter: to, control: http.NewResponseController(to)}
		w.renew() // what there is of the request before on this connection may have passed
		defer w.renew()
		if r.Body != nil && r.Body != http.NoBody {
			_ = w.control.SetReadDeadline(time.Now().Add(bodyTime)) // not every connection has one
			r.Body = &patientBody{ReadCloser: r.Body, control: w.control}
		}
		h.ServeHTTP(w, r)
	})
}

// patientWriter gives each piece of an answer its time.
type patientWriter struct {
	http.ResponseWriter

	control *http.ResponseController
}

// renew gives a client its time anew. It is done at the end, too, for what is sent then.
func (w *patientWriter) renew() {
	_ = w.control.SetWriteDeadline(time.Now().Add(patience)) // not every connection has one
}

func (w *patientWriter) Write(b []byte) (n int, err error) {
	for first := true; first || len(b) > 0 && err == nil; first = false {
		w.renew()
		var done int
		done, err = w.ResponseWriter.Write(b[:min(len(b), piece)])
		n, b = n+done, b[done:]
	}
	return n, err
}

// Flush sends what is there.
func (w *patientWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush, for [http.ResponseController].
func (w *patientWriter) FlushError() error {
	w.renew()
	return w.control.Flush()
}

// Unwrap lets http.ResponseController reach the connection.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// patientBody is a request's, whose time is over once it has been read: the handler may
// take longer.
type patientBody struct {
	io.ReadCloser

	control *http.ResponseController
}

func (b *patientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // nor has it been set then
	}
	return n, err
}
