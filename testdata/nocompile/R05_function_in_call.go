// want: does not implement runnel.CallOption
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A function can not travel with a pipeline.
var _ = val.Send("x").Set(runnel.RetryIf(func(error) bool { return true }))
