// want: does not match runnel.Stepper
package nocompile

import "github.com/runnel-dev/runnel"

var (
	pass = runnel.Ref2[string, string, runnel.Pair[string, string]]("pass")
	two  = runnel.Ref2[string, string, string]("two")
)

// A pair feeds two arguments only by Spread.
var _ = pass.Send("a", "b").ContinueWith(two)
