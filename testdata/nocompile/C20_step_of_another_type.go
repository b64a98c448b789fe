// want: does not match runnel.Stepper
package nocompile

import "github.com/runnel-dev/runnel"

var (
	val = runnel.Ref1[string, string]("val")
	sum = runnel.Ref1[int, int]("sum")
)

// What arrives is a text.
var _ = val.Send("x").ContinueWith(sum)
