//go:build unix && !solaris && !illumos && !aix

package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// fileLock holds FILE.lock. The lock is the kernel's, so it ends with the
// process; the file stays, and says who has or had it.
type fileLock struct{ f *os.File }

// Who only asks whether there is a lock holds it for a moment (lockHolder), and so does
// a process that was just started by one that had it. So it is tried a few times.
const (
	lockTries = 4
	lockPause = 5 * time.Millisecond
)

// lockFile takes the lock at once, or nearly, or fails. A second one in the same process
// fails too: flock is of the open file, not of the process.
func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644) //nolint:gosec // of our choosing
	if err != nil {
		return nil, lockFailed(path, err)
	}
	for range lockTries {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		<-time.NewTimer(lockPause).C
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		text, _ := io.ReadAll(io.LimitReader(f, 200))
		_ = f.Close()
		return nil, inUse(path, strings.TrimSpace(string(text)))
	}
	if err == nil {
		err = writeOwner(f)
	}
	if err != nil {
		_ = f.Close()
		return nil, api.Errorf(api.ErrStore, path, "%s can't be locked: %w", f.Name(), err)
	}
	return &fileLock{f}, nil
}

// writeOwner tells whoever finds the file locked. On a full disk it can't be
// written, which is no reason to stop.
func writeOwner(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "pid %d\n", os.Getpid()), 0)
	if errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	return err
}

func (l *fileLock) release() error {
	if l == nil {
		return nil
	}
	return l.f.Close()
}

// lockHolder says who has the lock, if somebody has.
func lockHolder(path string) (owner string, held bool) {
	f, err := os.Open(path + ".lock") //nolint:gosec // of our choosing
	if err != nil {
		return "", false
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
		return "", false
	}
	text, _ := io.ReadAll(io.LimitReader(f, 200)) // what there is of it
	return strings.TrimSpace(string(text)), true
}
