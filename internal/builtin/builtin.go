// Package builtin has the tasks of the stock program: a command of the shell and an
// HTTP request, so that a pipeline in a file does something useful without Go.
//
// It must not know where it runs, or who asked: that these tasks run at all is for
// the command line to decide.
package builtin

import "github.com/runnel-dev/runnel"

// Tasks are all of them.
func Tasks() []runnel.AnyTask { return []runnel.AnyTask{Shell, HTTP} }
