// want: runnel.Step[runnel.Pair[string, int], string]
package nocompile

import "github.com/runnel-dev/runnel"

var (
	pass = runnel.Ref2[string, string, runnel.Pair[string, string]]("pass")
	two  = runnel.Ref2[string, int, string]("two")
)

// The second of the pair is not a number.
var _ = pass.Send("a", "b").ContinueWith(two.Spread())
