package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed static
var staticFiles embed.FS

// assets are the static files. Their URLs hold a hash of all of them, so that a browser
// may keep them for good, and a module finds the others beside it.
type assets struct {
	hash  string
	files map[string]asset
}

type asset struct {
	kind        string
	text, small []byte // small is gzipped, nil if that is no smaller
}

var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// loadAssets reads them once: to press them takes longer than to set up all else.
var loadAssets = sync.OnceValue(readAssets)

func readAssets() *assets {
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		panic(err) // they are part of the program
	}
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	for _, e := range entries {
		text, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		kind := kinds[path.Ext(e.Name())]
		if kind == "" {
			continue // a licence, a test
		}
		_, _ = sum.Write([]byte(e.Name()))
		_, _ = sum.Write(text)
		if path.Ext(e.Name()) == ".js" {
			text = bare(text)
		}
		a.files[e.Name()] = asset{kind: kind, text: text, small: smaller(text)}
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:12]
	return a
}

func smaller(text []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is right
	}
	_, _ = z.Write(text) // a buffer takes all
	_ = z.Close()
	if b.Len() >= len(text) {
		return nil
	}
	return b.Bytes()
}

// ServeHTTP serves /static/{hash}/{name}. Under an old hash there is the file of now,
// which is not to be kept then.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.files[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.PathValue("hash") == a.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	text := f.text
	if f.small != nil && takesGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		text = f.small
	}
	_, _ = w.Write(text)
}

// takesGzip reports whether a client takes gzip: it names it, and not with a weight of 0.
func takesGzip(accepted string) bool {
	for one := range strings.SplitSeq(accepted, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		q, given := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(weight), " ", ""), "q=")
		return !given || strings.Trim(q, "0.") != ""
	}
	return false
}
