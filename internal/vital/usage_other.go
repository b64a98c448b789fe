//go:build !linux

package vital

import "time"

func process() (spent time.Duration, resident int64) { return 0, 0 }
