// want: not enough arguments in call to three.Send
package nocompile

import "github.com/runnel-dev/runnel"

var three = runnel.Ref3[string, string, string, string]("three")

// An argument is missing.
var _ = three.Send("a", "b")
