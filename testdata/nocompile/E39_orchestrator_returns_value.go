// want: cannot use 1
package nocompile

import (
	"context"

	"github.com/runnel-dev/runnel"
)

// A plain result is Value(1).
var _ = runnel.NewOrchestrator0("o", func(context.Context) (runnel.Runnable[int], error) { return 1, nil })
