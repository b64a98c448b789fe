// want: FinallyDo
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// There is one finally.
var _ = val.Send("x").FinallyDo(val.Send("one")).FinallyDo(val.Send("two"))
