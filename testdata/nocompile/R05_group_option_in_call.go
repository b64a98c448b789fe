// want: does not implement runnel.CallOption
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A limit is about a group.
var _ = val.Send("x").Set(runnel.MaxParallelism(1))
