// want: too many arguments in call to three.Send
package nocompile

import "github.com/runnel-dev/runnel"

var three = runnel.Ref3[string, string, string, string]("three")

// There is one argument too many.
var _ = three.Send("a", "b", "c", "d")
