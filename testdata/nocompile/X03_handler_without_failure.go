// want: does not implement runnel.Stepper
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A handler takes the failure.
var _ = val.Send("x").Exceptionally(val)
