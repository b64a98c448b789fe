package sqlite_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Root may write everything, so another user tries.
func TestOpenReadOnly(t *testing.T) {
	if dir := os.Getenv(childVariable); dir != "" {
		refused(t, filepath.Join(dir, "dir", "runnel.db"), "read-only", "directory")
		refused(t, filepath.Join(dir, "dir", "old.db"), "read-only")
		refused(t, filepath.Join(dir, "file", "runnel.db"), "is read-only", "permissions")
		return
	}
	dir := t.TempDir()
	for _, d := range []string{"dir", "file"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, open(t, filepath.Join(dir, "dir", "old.db"), small))
	closeStore(t, open(t, filepath.Join(dir, "file", "runnel.db"), small))
	for _, m := range []struct {
		name string
		mode os.FileMode
	}{
		{"file/runnel.db", 0o444}, {"file/runnel.db.lock", 0o666}, {"file", 0o777}, {"dir", 0o555}, {"", 0o755}, {"..", 0o755},
	} {
		if err := os.Chmod(filepath.Join(dir, m.name), m.mode); err != nil {
			t.Fatal(err)
		}
	}
	cmd := child(t, dir)
	if os.Getuid() == 0 {
		cmd.Path = "/proc/self/exe" // whose directory the other user may not enter
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.Chmod(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Error(err)
	}
}
