package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// PutRecord keeps a value under a kind and a key. It looks at no context: a
// write that was begun is finished.
func (s *Store) PutRecord(_ context.Context, kind, key string, value []byte) error {
	err := s.write(int64(len(value))+defaultPageSize, func() error {
		st := s.w.putRecord
		if value == nil {
			st = s.w.deleteRecord
		}
		st.BindText(1, kind)
		st.BindBytes(2, []byte(key))
		if value != nil {
			st.BindBytes(3, value)
		}
		return exec(st)
	})
	if err != nil {
		return writeError(s.path, err)
	}
	return nil
}

// Records calls yield for what is kept under a kind, page by page as Tasks does.
func (s *Store) Records(ctx context.Context, kind string, yield func(key string, value []byte) error) error {
	type record struct {
		key   string
		value []byte
	}
	var page []record
	for from := []byte{}; ; {
		page = page[:0]
		err := s.query(ctx, "SELECT key, value FROM record WHERE kind = ? AND key >= ? ORDER BY key LIMIT ?",
			func(st *sqlite.Stmt) {
				st.BindText(1, kind)
				st.BindBytes(2, from)
				st.BindInt64(3, fullPage)
			},
			func(st *sqlite.Stmt) bool {
				value := make([]byte, st.ColumnLen(1))
				st.ColumnBytes(1, value)
				page = append(page, record{string(column(st, 0)), value})
				return false
			})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := yield(r.key, r.value); err != nil {
				return err
			}
		}
		if len(page) < fullPage {
			return nil
		}
		from = append([]byte(page[len(page)-1].key), 0) // what follows it at once
	}
}
