// want: does not implement runnel.Arg[int]
package nocompile

import "github.com/runnel-dev/runnel"

var count = runnel.Ref1[int, int]("count")

// Who allows a failure has to take an Outcome.
var _ = runnel.NewFlow0("flow", func(f runnel.Flow) (int, error) {
	return count.Bind(runnel.AllowFailure(count.Submit(f, 1))).Call(f)
})
