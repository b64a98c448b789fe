// want: runnel.Runnable
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A finally is given its own arguments only.
var _ = val.Send("x").FinallyDo[string](val)
