// want: cannot use ctx
package nocompile

import (
	"context"

	"github.com/runnel-dev/runnel"
)

var task = runnel.NewTask0("task", func(context.Context) (int, error) { return 1, nil })

// Tasks are called from flows, never from tasks.
var outer = runnel.NewTask0("outer", func(ctx context.Context) (int, error) { return task.Call(ctx) })
