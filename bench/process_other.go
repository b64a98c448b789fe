//go:build !linux

package main

import (
	"os"
	"time"
)

// CPU time and memory are known on Linux only.
func cpuTime() time.Duration { return 0 }

func peakRSS() int64 { return 0 }

func memoryOf(int) (now, peak int64) { return 0, 0 }

func cpuOf(int) time.Duration { return 0 }

// onDisk gives a folder for the files.
func onDisk(dir string) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	return dir, nil
}
