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
	_, peak := memoryOf(os.Getpid())
	return peak
}

// memoryOf is how much memory a process holds, and has held at most, in bytes.
func memoryOf(pid int) (now, peak int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	return sizeIn(status, "VmRSS:"), sizeIn(status, "VmHWM:")
}

// cpuOf is cpuTime of another process, which runs.
func cpuOf(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // the name may have spaces
	fields := bytes.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:13] { // in user space and in the kernel
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// tick is the unit of such times, the same on all of Linux.
const tick = time.Second / 100

func sizeIn(status []byte, name string) int64 {
	_, rest, _ := bytes.Cut(status, []byte(name))
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
