//go:build linux || darwin

package sqlite

import (
	"path/filepath"
	"syscall"
)

// freeSpace gives the bytes that may still be written to the disk of a file.
func freeSpace(path string) (free int64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true //nolint:unconvert // types differ by system
}
