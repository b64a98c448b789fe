//go:build !unix

package kill

import "os/exec"

// signaled reports whether a program was ended from outside.
func signaled(cmd *exec.Cmd) bool { return !cmd.ProcessState.Success() }
