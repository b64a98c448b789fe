// want: does not implement runnel.Arg[int]
package nocompile

import "github.com/runnel-dev/runnel"

var (
	words = runnel.Ref1[string, string]("words")
	count = runnel.Ref1[int, int]("count")
)

// The future of a string is no argument for a number.
var _ = runnel.NewFlow0("flow", func(f runnel.Flow) (int, error) {
	return count.Bind(words.Submit(f, "a")).Call(f)
})
