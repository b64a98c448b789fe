package vital

import (
	"sync"
	"time"
)

// Usage measures how much of the machine this process uses. The zero value is ready.
type Usage struct {
	mu    sync.Mutex
	at    time.Time     // it was looked at last
	spent time.Duration // of the processors, until then
	cores float64
}

// usageEvery is over how long it is measured at least.
const usageEvery = 5 * time.Second

// Look gives how many cores the process has used of late, since about when somebody looked
// before, and the bytes of memory that it has; zeros where the system does not say. Now is
// the time.
func (u *Usage) Look(now time.Time) (cores float64, memory int64) {
	spent, memory := process()
	u.mu.Lock()
	defer u.mu.Unlock()
	switch took := now.Sub(u.at); {
	case u.at.IsZero() || took < 0:
		u.at, u.spent = now, spent
	case took >= usageEvery:
		u.cores = max(float64(spent-u.spent)/float64(took), 0)
		u.at, u.spent = now, spent
	}
	return u.cores, memory
}
