// want: runnel.Pipeline[int]
package nocompile

import "github.com/runnel-dev/runnel"

var (
	val = runnel.Ref1[string, string]("val")
	sum = runnel.Ref1[int, int]("sum")
)

// A list has one type; InParallel2 takes two.
var _ = runnel.InParallel(runnel.List(val.Send("x"), sum.Send(1)))
