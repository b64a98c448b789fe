//go:build unix

package kill

import (
	"os/exec"
	"syscall"
)

// signaled reports whether a program was ended by SIGKILL.
func signaled(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
