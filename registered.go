package runnel

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// Description says what a task is for, to who looks at [Engine.Tasks]. Default:
// "".
func Description(text string) TaskOption {
	return taskOption(func(d *declaration) { d.description = text })
}

// Tasks lists what was registered, by name.
func (e *Engine) Tasks() []api.TaskInfo {
	list := make([]api.TaskInfo, 0, len(e.declared))
	for _, name := range slices.Sorted(maps.Keys(e.declared)) {
		if d := e.declared[name]; d.trips == nil {
			list = append(list, d.info())
		}
	}
	return list
}

func (d *declaration) info() api.TaskInfo {
	info := api.TaskInfo{
		Name: d.name, Package: d.declared.pkg(), Description: d.description,
		Kind: "task", Params: make([]string, len(d.params)), Result: d.result.kind, Options: d.options,
	}
	switch {
	case d.work.Flow:
		info.Kind = "flow"
	case d.orchestrator:
		info.Kind = "orchestrator"
	case d.combined:
		info.Kind = "combined"
	}
	for i, p := range d.params {
		info.Params[i] = p.kind
	}
	info.Options.Tags = slices.Clone(d.options.Tags)
	if policy := d.options.Retry; policy != nil {
		own := *policy
		info.Options.Retry = &own
	}
	info.Key = taskKey(info.Name, info.Package, info.Options.Tags)
	return info
}

// taskKey is a hash of what makes a task another one. Each part ends with a byte
// that no escaped part has.
func taskKey(name, pkg string, tags []string) string {
	h := sha256.New()
	for _, part := range append([]string{name, pkg}, tags...) {
		h.Write([]byte(url.QueryEscape(part) + "\x00"))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// origin is where a task was declared: the callers of newTask and its like. It is
// looked up when somebody asks.
type origin [8]uintptr

// here gives the callers of whoever declares a task.
func here() (o origin) {
	runtime.Callers(2, o[:])
	return o
}

const ownPackage = "github.com/runnel-dev/runnel"

// pkg gives the package that the task was declared by, "" if that is not known.
func (o origin) pkg() string {
	for frames := runtime.CallersFrames(o[:]); ; {
		frame, more := frames.Next()
		if pkg := packageOf(frame.Function); pkg != "" && pkg != ownPackage {
			return pkg
		}
		if !more {
			return ""
		}
	}
}

// packageOf gives the package of a function's full name: what is before the first
// dot that follows the last slash, where slashes of type arguments don't count.
func packageOf(function string) string {
	function, _, _ = strings.Cut(function, "[")
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	path := function[:slash] + name
	if plain, err := url.PathUnescape(path); err == nil { // as in gopkg.in/yaml%2ev3
		return plain
	}
	return path
}
