package sim

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// script is what a body does. It travels as the call's last argument, so that a
// body is a pure function of its arguments, the pipeline's state, and the number
// of its attempt.
type script struct {
	Label string `json:"l"`
	// Final marks what stands under a finally.
	Final bool `json:"final,omitempty"`
	// Fail is how many attempts fail; Part fails only for inputs of one kind in
	// two; Heal ends that with the next generation. Hang times out instead.
	Fail int  `json:"fail,omitempty"`
	Part bool `json:"part,omitempty"`
	Heal bool `json:"heal,omitempty"`
	Hang bool `json:"hang,omitempty"`
	// State is the kind of state that the body leaves: "map", "plain" or none.
	State string `json:"state,omitempty"`
	// List gives a list of so many; Pad a large value.
	List int `json:"list,omitempty"`
	Pad  int `json:"pad,omitempty"`
	// Child is returned in place of a value, but after attempt Mend, if that is
	// set, a value and no state; Count returns the body itself with
	// one less, followed by another step if Trail.
	Child *api.Spec `json:"child,omitempty"`
	Mend  int       `json:"mend,omitempty"`
	Count int       `json:"count,omitempty"`
	Trail bool      `json:"trail,omitempty"`
	// Inline makes the pipeline returned by Count an inline one.
	Inline bool `json:"inline,omitempty"`
	// Cache is the key of a body whose result is cached.
	Cache string `json:"cache,omitempty"`
	// Refresh: it takes nothing from the cache.
	Refresh bool `json:"refresh,omitempty"`
	// Ops are what a flow does.
	Ops []op `json:"ops,omitempty"`
	// Slots are those of global limits that the body takes, one after the other.
	Slots []slotUse `json:"slots,omitempty"`
	// Pause pauses the run; Pend waits for an answer from outside.
	Pause bool `json:"pause,omitempty"`
	Pend  bool `json:"pend,omitempty"`
	// Due is how many seconds after the first moment it begins at the earliest.
	Due int `json:"due,omitempty"`
	// Queue is that of the call, "" for the default one.
	Queue string `json:"queue,omitempty"`
}

// made is what an attempt gives.
type made struct {
	fail     string // the failure's message, "" for none
	value    json.RawMessage
	child    *api.Spec
	state    json.RawMessage
	setState bool
	merge    bool
}

// hangs is how long a task that hangs may take.
const hangs = 10 * time.Second

func (s *script) fails(in string, attempt, gen int) bool {
	switch {
	case attempt > s.Fail, s.Heal && gen > 0, s.Part && hash(s.Label, in)[0] < '8':
		return false
	}
	return true
}

// act is the body. Input and state are canonical JSON, "" for none.
func (s *script) act(in, state string, attempt, gen int) made {
	if s.fails(in, attempt, gen) {
		if s.Hang {
			return made{fail: "timed out after " + hangs.String()}
		}
		return made{fail: fmt.Sprintf("boom %s %d", s.Label, attempt)}
	}
	if s.Cache != "" {
		return made{value: quote("cached " + s.Cache + strings.Repeat("x", s.Pad))}
	}
	var m made
	id := s.Label + ":" + hash(in, state)
	mended := s.Mend > 0 && attempt > s.Mend
	switch kind := s.State; {
	case mended:
	case kind == "map":
		keys := map[string]json.RawMessage{}
		if json.Unmarshal([]byte(state), &keys) != nil || keys == nil {
			keys = map[string]json.RawMessage{}
		}
		keys = maps.Clone(keys)
		keys["k"+hash(s.Label)[:1]] = quote(id)
		m.state, m.setState, m.merge = encode(keys), true, true
	case kind == "plain":
		m.state, m.setState = quote("s"+id), true
	}
	switch {
	case s.Child != nil && !mended:
		m.child = s.Child
	case s.Count > 0:
		m.child = s.again()
	case s.List > 0:
		list := make([]string, s.List)
		for i := range list {
			list[i] = id + "." + strconv.Itoa(i)
		}
		m.value = encode(list)
	default:
		m.value = quote(id + strings.Repeat("x", s.Pad))
	}
	return m
}

func (s *script) again() *api.Spec {
	next := *s
	next.Count--
	next.Label += "'"
	next.Queue, next.Due = "", 0
	child := &api.Spec{Inline: s.Inline, Steps: []api.Step{callStep("start", &next, nil)}}
	if s.Trail {
		child.Steps = append(child.Steps, callStep("do", &script{Label: s.Label + "t", Final: s.Final}, nil))
	}
	return child
}

func callStep(task string, s *script, o *api.Options) api.Step {
	return api.Step{Call: &api.Call{Task: task, Args: api.Args{encode(s)}, Options: o}}
}

// signature is what tells one logical call from another: which body, with what.
func (s *script) signature(in, state string) string { return s.Label + "(" + hash(in, state) + ")" }

func hash(parts ...string) string {
	h := fnv.New32a()
	for _, p := range parts {
		fmt.Fprintf(h, "%s\x00", p)
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

func quote(s string) json.RawMessage { return encode(s) }

func encode(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// canon gives JSON in one form, without what differs between a run and the
// interpreter: who failed, but not how often.
func canon(data []byte) string {
	if len(data) == 0 {
		return ""
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		panic(fmt.Sprintf("%v: %q", err, data))
	}
	return string(encode(strip(v)))
}

func strip(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
	case map[string]any:
		for _, key := range []string{"task", "task_run", "type", "stack", "code"} {
			delete(v, key)
		}
		if m, ok := v["message"].(string); ok {
			v["message"], _, _ = strings.Cut(m, "; the body ignores")
		}
		for key := range v {
			v[key] = strip(v[key])
		}
	}
	return v
}
