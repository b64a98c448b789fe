package dump

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"

	"github.com/runnel-dev/runnel/api"
)

// Writer writes a file, row by row.
type Writer struct {
	out  *bufio.Writer
	sum  hash.Hash
	rows map[string]int64
	line bytes.Buffer
	enc  *json.Encoder
	err  error // the first one; nothing is written after it
}

// NewWriter makes one that writes to w.
func NewWriter(w io.Writer) *Writer {
	d := &Writer{out: bufio.NewWriterSize(w, 1<<16), sum: sha256.New(), rows: map[string]int64{}}
	d.enc = json.NewEncoder(&d.line)
	d.enc.SetEscapeHTML(false)
	for _, kind := range kinds {
		d.rows[kind] = 0
	}
	return d
}

// Begin writes the header; format and version are filled in.
func (d *Writer) Begin(h Header) error {
	h.Format, h.Version = "runnel", Version
	return d.put("header", h)
}

// The rows, of which those of a kind come together, and the kinds in the order of
// these methods.

// Run writes a run.
func (d *Writer) Run(r *Run) error { return d.row("run", r) }

// Task writes a task run.
func (d *Writer) Task(r *Task) error { return d.row("task", r) }

// Frame writes a frame.
func (d *Writer) Frame(r *Frame) error { return d.row("frame", r) }

// Block writes a block.
func (d *Writer) Block(r *Block) error { return d.row("block", r) }

// Line writes a line of a log.
func (d *Writer) Line(r *Line) error { return d.row("log", r) }

// Keyed writes what is kept under a task id.
func (d *Writer) Keyed(r *Keyed) error { return d.row("keyed", r) }

// Record writes a record.
func (d *Writer) Record(r *Record) error { return d.row("record", r) }

// Blob writes a blob, without its content.
func (d *Writer) Blob(r *Blob) error { return d.row("blob", r) }

// Chunk writes a part of a blob.
func (d *Writer) Chunk(r *Chunk) error { return d.row("chunk", r) }

// End writes the last line. The file is of no use without.
func (d *Writer) End() error {
	last := end{Rows: d.rows, SHA256: hex.EncodeToString(d.sum.Sum(nil))}
	if err := d.put("end", last); err != nil {
		return err
	}
	return failed(d.out.Flush())
}

// Rows says how many were written of each kind.
func (d *Writer) Rows() map[string]int64 { return d.rows }

func (d *Writer) row(kind string, v any) error {
	d.rows[kind]++
	return d.put(kind, v)
}

// put writes {"kind":v} as one line.
func (d *Writer) put(kind string, v any) error {
	if d.err != nil {
		return d.err
	}
	d.line.Reset()
	d.line.WriteString(`{"` + kind + `":`)
	if d.err = d.enc.Encode(v); d.err != nil {
		return d.err
	}
	d.line.Truncate(d.line.Len() - 1) // the encoder's newline
	d.line.WriteString("}\n")
	d.sum.Write(d.line.Bytes())
	_, err := d.out.Write(d.line.Bytes())
	d.err = failed(err)
	return d.err
}

func failed(err error) error {
	if err == nil {
		return nil
	}
	return api.Errorf(api.ErrStore, "export", "the file can't be written: %w", err)
}
