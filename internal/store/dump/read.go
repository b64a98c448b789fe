package dump

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"iter"
	"slices"

	"github.com/runnel-dev/runnel/api"
)

// maxLine is how long a line may be: a value in a cell, in base64, is far below.
const maxLine = 256 << 20

// Reader reads a file, row by row. Whoever reads asks for the kinds of rows in their
// order, and then for the end, which alone says that all of it was there.
type Reader struct {
	Header Header

	in   *bufio.Reader
	sum  hash.Hash
	line int // number of the present one
	rows map[string]int64
	most Next // highest numbers that were seen

	kind string // of the present line, which nobody has taken yet
	body json.RawMessage
	buf  []byte
}

// NewReader reads the header, and refuses what is no such file or of another version.
func NewReader(r io.Reader) (*Reader, error) {
	d := &Reader{in: bufio.NewReaderSize(r, 1<<16), sum: sha256.New(), rows: map[string]int64{}}
	if magic, _ := d.in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(d.in)
		if err != nil {
			return nil, api.Errorf(api.ErrInvalid, "import", "the file can't be read as gzip: %w", err)
		}
		d.in = bufio.NewReaderSize(z, 1<<16)
	}
	first, _ := d.in.Peek(len(`{"header":`)) // less of it is none
	if string(first) != `{"header":` {
		return nil, api.Errorf(api.ErrInvalid, "import", "the file is no export of Runnel: it does not begin with a header")
	}
	if err := d.next(); err != nil {
		return nil, err
	}
	// The fields of another version are not ours to judge.
	err := json.Unmarshal(d.body, &d.Header)
	switch h := &d.Header; {
	case h.Format != "runnel":
		return nil, api.Errorf(api.ErrInvalid, "import", "the file is no export of Runnel: its header has no format \"runnel\"")
	case h.Version != Version:
		return nil, api.Errorf(api.ErrInvalid, "import", "the file has version %d of the format, and this program reads version %d; use the Runnel that wrote it, or one of its time",
			h.Version, Version)
	case err != nil:
		return nil, d.damaged("the header: %w", err)
	case h.Next.Key < 1 || h.Next.Run < 1 || h.Next.Blob < 1:
		return nil, d.damaged("the header's numbers are not above 0")
	}
	return d, d.next()
}

// next reads a line.
func (d *Reader) next() error {
	if d.kind != "" { // which counts from now on
		d.sum.Write(d.buf)
	}
	d.buf = d.buf[:0]
	d.line++
	for {
		part, err := d.in.ReadSlice('\n')
		d.buf = append(d.buf, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(d.buf) <= maxLine:
			continue
		case errors.Is(err, bufio.ErrBufferFull):
			return d.damaged("the line is longer than %d bytes", maxLine)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return d.damaged("the file ends before its last line; it was cut off, or not written to its end")
		case err != nil:
			return d.damaged("can't be read: %w", err)
		}
		break
	}
	d.kind, d.body = "", nil
	head, body, ok := bytes.Cut(d.buf[:len(d.buf)-1], []byte(`":`))
	if !ok || !bytes.HasPrefix(head, []byte(`{"`)) || !bytes.HasSuffix(body, []byte("}")) {
		return d.damaged("it is not like {\"kind\":…}")
	}
	d.kind, d.body = string(head[2:]), body[:len(body)-1]
	return nil
}

// rows reads those of a kind, as long as there are some.
func rows[T any](d *Reader, kind string, check func(*T) error) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		for d.kind == kind {
			v := new(T)
			dec := json.NewDecoder(bytes.NewReader(d.body))
			dec.DisallowUnknownFields()
			err := dec.Decode(v)
			if err == nil {
				if _, more := dec.Token(); more != io.EOF {
					err = errors.New("something follows the row")
				}
			}
			if err == nil {
				err = check(v)
			}
			if err != nil {
				yield(nil, d.damaged("%s: %w", kind, err))
				return
			}
			d.rows[kind]++
			if !yield(v, nil) {
				return
			}
			if err := d.next(); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// End reads the last line, and refuses a file that is not as it was written.
func (d *Reader) End() error {
	if d.kind != "end" {
		if slices.Contains(kinds, d.kind) {
			return d.damaged("a row of kind %q is out of its order", d.kind)
		}
		return d.damaged("%q is no kind of row", d.kind)
	}
	var last end
	if err := json.Unmarshal(d.body, &last); err != nil {
		return d.damaged("the last line: %w", err)
	}
	for _, kind := range kinds {
		if d.rows[kind] != last.Rows[kind] {
			return d.damaged("there are %d rows of kind %q, and the last line says %d", d.rows[kind], kind, last.Rows[kind])
		}
	}
	if sum := hex.EncodeToString(d.sum.Sum(nil)); sum != last.SHA256 {
		return d.damaged("the lines are not those that were written: their SHA-256 is %s, and the last line says %q", sum, last.SHA256)
	}
	if n := &d.Header.Next; d.most.Key >= n.Key || d.most.Run >= n.Run || d.most.Blob >= n.Blob {
		return d.damaged("rows have numbers that were not given out by then: keys to %d, runs to %d, large values to %d", d.most.Key, d.most.Run, d.most.Blob)
	}
	if _, err := d.in.ReadByte(); err != io.EOF {
		if err != nil {
			return d.damaged("after the last line: %w", err)
		}
		return d.damaged("something follows the last line")
	}
	return nil
}

// Rows says how many were read of each kind.
func (d *Reader) Rows() map[string]int64 { return d.rows }

func (d *Reader) damaged(format string, args ...any) error {
	return api.Errorf(api.ErrInvalid, "import", "line %d of the file: "+format, append([]any{d.line}, args...)...)
}
