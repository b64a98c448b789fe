// want: runnel.Task1[*runnel.Failure, string]
package nocompile

import "github.com/runnel-dev/runnel"

var rec = runnel.Ref1[*runnel.Failure, string]("rec")

// A branch can not begin with a handler.
var _ = runnel.InParallel(runnel.List[string](rec))
