// want: ContinueWith
package nocompile

import "github.com/runnel-dev/runnel"

var val = runnel.Ref1[string, string]("val")

// Nothing follows a finally.
var _ = val.Send("x").FinallyDo(val.Send("fin")).ContinueWith(val)
