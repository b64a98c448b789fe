// want: runnel.Closed[string]
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A closed pipeline is no branch.
var _ = runnel.InParallel(runnel.List[string](val.Send("x").FinallyDo(val.Send("fin"))))
