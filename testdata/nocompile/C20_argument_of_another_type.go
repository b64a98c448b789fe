// want: cannot use 1 (untyped int constant) as string value
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// A number is no text.
var _ = val.Send(1)
