// want: WithInitial
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A pipeline that has its arguments takes no others.
var _ = val.With().WithInitial("x").WithInitial("y")
