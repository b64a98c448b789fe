package httpapi

import (
	"net/http"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// smallest is how many bytes an answer has that is worth compressing: less is one
// packet anyway.
const smallest = 1400

// compressed are the types of answers that are: text. Event streams are not among them,
// since each event would be a block of its own.
var compressed = []string{
	"application/json", "application/problem+json", "application/openapi+json", ndjson,
	"text/plain", "text/html", "text/css", "text/javascript", "image/svg+xml",
}

// Compress serves what h does, gzipped for clients that take it. An ETag stays as it is:
// it says which state of things an answer has, not which bytes, and Vary tells caches
// the two forms apart. Secrets and what others may have put beside them do not meet in a
// request of another site, whose cookies are SameSite.
func Compress(h http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(smallest), gzhttp.ContentTypes(compressed),
		gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) // the options are ours
	}
	zipped := wrap(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Base+"/events" { // its deadlines and flushes go to the connection itself
			h.ServeHTTP(w, r)
			return
		}
		zipped(w, r)
	})
}
