package api

// TaskInfo is what is known of a registered task.
type TaskInfo struct {
	// Name is what calls find it by.
	Name string `json:"name"`
	// Key is a hash of Name, Package and the declared tags: it tells that a task
	// of the same name is another one. It is shown, and nothing goes by it.
	Key string `json:"key"`
	// Package is the import path of the package that declares it; "main" for a
	// program's own.
	Package     string `json:"package"`
	Description string `json:"description,omitempty"`
	// Kind is "task", "flow", "orchestrator" or "combined".
	Kind string `json:"kind"`
	// Params are the JSON kinds of its arguments, and Result that of its result:
	// integer, number, string, boolean, array, object, none, or any where the Go
	// type does not tell.
	Params []string `json:"params"`
	Result string   `json:"result"`
	// Options are the declared ones that are plain data.
	Options Options `json:"options,omitzero"`
}
