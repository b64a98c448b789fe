package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// cpuTime is what this process has used, in user space and in the kernel.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the most memory that this process has held, in bytes.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// onDisk gives a folder for the files that is not in memory.
func onDisk(dir string) (string, error) {
	tries := []string{dir}
	if dir == "" {
		tries = []string{os.TempDir(), "/var/tmp", "."}
	}
	for _, dir := range tries {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			continue
		}
		if fs.Type != 0x01021994 && fs.Type != 0x858458f6 { // tmpfs, ramfs
			return dir, nil
		}
	}
	return "", fmt.Errorf("%v: in memory, or can't be used; give a folder on a disk with -dir", tries)
}
