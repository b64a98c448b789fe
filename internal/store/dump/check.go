package dump

import (
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/runnel-dev/runnel/api"
)

// What is read is held to what every store can hold, and to what the header says was
// given out.

// Runs reads the runs.
func (d *Reader) Runs() iter.Seq2[*Run, error] {
	return rows(d, "run", func(r *Run) error {
		d.most.Run, d.most.Key = max(d.most.Run, r.ID), max(d.most.Key, r.Base)
		return errors.Join(above("id", r.ID), known(r.State), natural("gen", int64(r.Gen)), natural("epoch", int64(r.Epoch)))
	})
}

// Tasks reads the task runs.
func (d *Reader) Tasks() iter.Seq2[*Task, error] {
	return rows(d, "task", func(r *Task) error {
		d.most.Key = max(d.most.Key, r.ID)
		return errors.Join(above("id", r.ID), d.hasRun(r.Run), known(r.State))
	})
}

// Frames reads the frames.
func (d *Reader) Frames() iter.Seq2[*Frame, error] {
	return rows(d, "frame", func(r *Frame) error {
		d.most.Key = max(d.most.Key, r.ID)
		return d.hasRun(r.Run)
	})
}

// Blocks reads the blocks.
func (d *Reader) Blocks() iter.Seq2[*Block, error] {
	return rows(d, "block", func(r *Block) error {
		if r.First < 0 || r.Count < 0 || r.Count > math.MaxInt64-r.First {
			return fmt.Errorf("no range of keys: %d from %d on", r.Count, r.First)
		}
		d.most.Key = max(d.most.Key, r.First+r.Count-1)
		return d.hasRun(r.Run)
	})
}

// Lines reads the lines of logs.
func (d *Reader) Lines() iter.Seq2[*Line, error] {
	return rows(d, "log", func(r *Line) error { return errors.Join(above("line", r.Line), d.hasRun(r.Run)) })
}

// Keyed reads what is kept under task ids.
func (d *Reader) Keyed() iter.Seq2[*Keyed, error] {
	return rows(d, "keyed", func(r *Keyed) error {
		r.Value = append([]byte{}, r.Value...) // not nil
		return nil
	})
}

// Records reads the records.
func (d *Reader) Records() iter.Seq2[*Record, error] {
	return rows(d, "record", func(r *Record) error {
		r.Value = append([]byte{}, r.Value...) // not nil
		d.most.Blob = max(d.most.Blob, r.Blob)
		return natural("blob", r.Blob)
	})
}

// Blobs reads the blobs, without their content.
func (d *Reader) Blobs() iter.Seq2[*Blob, error] {
	return rows(d, "blob", func(r *Blob) error {
		d.most.Blob = max(d.most.Blob, r.ID)
		err := errors.Join(above("id", r.ID), natural("size", r.Size))
		if r.Run != OfRecord {
			err = errors.Join(err, d.hasRun(r.Run))
		}
		return err
	})
}

// Chunks reads the parts of blobs.
func (d *Reader) Chunks() iter.Seq2[*Chunk, error] {
	return rows(d, "chunk", func(r *Chunk) error {
		d.most.Blob = max(d.most.Blob, r.Blob)
		if r.Number < 0 || r.Number >= MaxChunks || len(r.Data) == 0 || len(r.Data) > ChunkSize {
			return fmt.Errorf("no part of a large value: number %d with %d bytes", r.Number, len(r.Data))
		}
		return above("blob", r.Blob)
	})
}

// hasRun refuses the number of a run that can't be there. Those of the runs that are
// there would be too many to keep.
func (d *Reader) hasRun(run int64) error {
	if run < 1 || run > d.most.Run {
		return fmt.Errorf("there is no run with number %d", run)
	}
	return nil
}

func above(field string, n int64) error {
	if n < 1 {
		return fmt.Errorf("%s is %d, want 1 or more", field, n)
	}
	return nil
}

func natural(field string, n int64) error {
	if n < 0 {
		return fmt.Errorf("%s is %d, want 0 or more", field, n)
	}
	return nil
}

func known(s api.State) error {
	if s == 0 {
		return errors.New("there is no state")
	}
	return nil
}
