// want: does not implement runnel.Stepper
package nocompile

import "github.com/runnel-dev/runnel"

var (
	val = runnel.Ref1[string, string]("val")
	rec = runnel.Ref1[*runnel.Failure, int]("rec")
)

// A handler gives what the pipeline would have given.
var _ = val.Send("x").Exceptionally(rec)
