// want: does not match runnel.Stepper
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// Each wants a list.
var _ = val.Send("x").ContinueWith(runnel.Each(val))
