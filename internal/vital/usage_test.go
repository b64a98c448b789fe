package vital

import (
	"runtime"
	"testing"
	"time"
)

// TestUsage: what is used is measured from one look to another, of at least five seconds.
func TestUsage(t *testing.T) {
	if runtime.GOOS != "linux" {
		if spent, memory := process(); spent != 0 || memory != 0 {
			t.Errorf("%s, %d bytes; want nothing", spent, memory)
		}
		return
	}
	var u Usage
	now := time.Unix(1e9, 0)
	if cores, memory := u.Look(now); cores != 0 || memory < 1<<20 || memory > 1<<36 {
		t.Errorf("at first %g cores and %d bytes", cores, memory)
	}
	for begun, _ := process(); ; {
		if spent, _ := process(); spent-begun >= 20*time.Millisecond {
			break
		}
	}
	if cores, _ := u.Look(now.Add(time.Second)); cores != 0 {
		t.Errorf("%g cores after a second, which is too short", cores)
	}
	if cores, _ := u.Look(now.Add(10 * time.Second)); cores < 0.002 || cores > 1 {
		t.Errorf("%g cores, want 20 ms or somewhat more in ten seconds", cores)
	}
	if cores, _ := u.Look(now.Add(-time.Hour)); cores < 0.002 {
		t.Errorf("%g cores when the clock was set back, want what was known", cores)
	}
}
