package sqlite

import (
	"errors"
	"os"
	"syscall"

	"github.com/runnel-dev/runnel/api"
)

// fileLock holds FILE.lock, opened for nobody else.
type fileLock struct{ h syscall.Handle }

const sharingViolation = syscall.Errno(32)

func lockFile(path string) (*fileLock, error) {
	name, err := syscall.UTF16PtrFromString(path + ".lock")
	if err != nil {
		return nil, api.Errorf(api.ErrStore, path, "can't be locked: %w", err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case errors.Is(err, sharingViolation):
		return nil, inUse(path, "")
	case err != nil:
		return nil, lockFailed(path, err)
	}
	return &fileLock{h}, nil
}

func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	return syscall.CloseHandle(l.h)
}

// lockHolder says whether somebody has the lock; who can't be known.
func lockHolder(path string) (owner string, held bool) {
	f, err := os.Open(path + ".lock")
	if err != nil {
		return "a process", errors.Is(err, sharingViolation)
	}
	return "", f.Close() != nil
}
