package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// MarshalJSON gives the versioned form.
func (s *Spec) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil) }

// AppendJSON appends the versioned form to b.
func (s *Spec) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"runnel":`...)
	b = strconv.AppendInt(b, SpecVersion, 10)
	b = append(b, ',')
	return s.appendBody(b)
}

// appendBody appends all that follows the opening brace, and the closing one.
func (s *Spec) appendBody(b []byte) (_ []byte, err error) {
	b = append(b, `"steps":[`...)
	for i := range s.Steps {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = s.Steps[i].appendJSON(b); err != nil {
			return nil, err
		}
	}
	b = append(b, ']')
	if s.Finally != nil {
		b = append(b, `,"finally":`...)
		if b, err = s.Finally.appendJSON(b); err != nil {
			return nil, err
		}
	}
	if s.Inline {
		b = append(b, `,"inline":true`...)
	}
	if s.State != nil {
		b = append(b, `,"state":`...)
		if b, err = appendAny(b, s.State); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (s *Step) appendJSON(b []byte) (_ []byte, err error) {
	b = append(b, '{')
	switch {
	case s.Call != nil:
		b, err = s.Call.appendJSON(b)
	case s.Group != nil:
		b = append(b, `"children":[`...)
		for i := range s.Group.Children {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = s.Group.Children[i].appendBody(append(b, '{')); err != nil {
				return nil, err
			}
		}
		b = s.Group.appendJSON(append(b, ']'))
	case s.Each != nil:
		if b, err = s.Each.Do.appendBody(append(b, `"each":{`...)); err == nil {
			b = s.Each.appendJSON(b)
		}
	case s.Chain != nil:
		b, err = s.Chain.appendBody(append(b, `"chain":{`...))
	default:
		b = append(b, `"value":`...)
		if s.Value == nil {
			b = append(b, "null"...)
		}
		b = append(b, s.Value...)
	}
	if err != nil {
		return nil, err
	}
	if s.OnError {
		b = append(b, `,"on":"error"`...)
	}
	if s.Wait {
		b = append(b, `,"wait":true`...)
	}
	if s.Ignore {
		b = append(b, `,"ignore":true`...)
	}
	return append(b, '}'), nil
}

func (c *Call) appendJSON(b []byte) (_ []byte, err error) {
	b = append(b, `"task":`...)
	b = appendString(b, c.Task)
	if len(c.Args) > 0 {
		b = append(b, `,"args":[`...)
		for i, arg := range c.Args {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, arg...)
		}
		b = append(b, ']')
	}
	if c.Spread > 0 {
		b = strconv.AppendInt(append(b, `,"spread":`...), int64(c.Spread), 10)
	}
	if c.Options != nil {
		return appendAny(append(b, `,"options":`...), c.Options)
	}
	return b, nil
}

func (o *GroupOptions) appendJSON(b []byte) []byte {
	if o.MaxParallelism != 0 {
		b = strconv.AppendInt(append(b, `,"max_parallelism":`...), int64(o.MaxParallelism), 10)
	}
	if o.NumStages != 0 {
		b = strconv.AppendInt(append(b, `,"num_stages":`...), int64(o.NumStages), 10)
	}
	if o.FailFast {
		b = append(b, `,"fail_fast":true`...)
	}
	if o.Settle {
		b = append(b, `,"settle":true`...)
	}
	if len(o.KillSwitches) > 0 {
		text, _ := json.Marshal(o.KillSwitches) //nolint:errchkjson // strings and numbers, none of them infinite
		b = append(append(b, `,"kill_switches":`...), text...)
	}
	return b
}

// appendString appends a task name, nearly always without anything to escape.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			text, _ := json.Marshal(s) //nolint:errchkjson // a string always encodes
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendAny(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, Errorf(ErrEncoding, "", "encode %T: %w", v, err)
	}
	return append(b, text...), nil
}

// UnmarshalJSON reads the versioned form; see [ParseSpec].
func (s *Spec) UnmarshalJSON(data []byte) error {
	p, err := ParseSpec(data)
	if err == nil {
		*s = *p
	}
	return err
}

type specJSON struct {
	Runnel  *int              `json:"runnel"`
	Steps   []json.RawMessage `json:"steps"`
	Finally json.RawMessage   `json:"finally"`
	Inline  bool              `json:"inline"`
	State   *SpecState        `json:"state"`
}

type stepJSON struct {
	Task     *string           `json:"task"`
	Args     Args              `json:"args"`
	Spread   int               `json:"spread"`
	Options  *Options          `json:"options"`
	Value    json.RawMessage   `json:"value"`
	Children []json.RawMessage `json:"children"`
	Each     json.RawMessage   `json:"each"`
	Chain    json.RawMessage   `json:"chain"`
	On       string            `json:"on"`
	Wait     bool              `json:"wait"`
	Ignore   bool              `json:"ignore"`
	GroupOptions
}

// MaxDepth bounds how deep a pipeline may nest, so that bad input can't exhaust
// the stack, nor time: each level is read again by the one above.
const MaxDepth = 200

// ParseSpec reads the versioned JSON form. What is refused is an [ErrInvalid]
// that names the place, as in "steps[0].children[3].steps[1]".
func ParseSpec(data []byte) (*Spec, error) {
	var head struct {
		Runnel *int `json:"runnel"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, Errorf(ErrInvalid, "", "pipeline is not a JSON object: %w", err)
	}
	switch {
	case head.Runnel == nil:
		return nil, Errorf(ErrInvalid, "", `pipeline has no version: want "runnel": %d`, SpecVersion)
	case *head.Runnel > SpecVersion:
		return nil, Errorf(ErrInvalid, "", "pipeline is of version %d, this program reads up to %d: update it", *head.Runnel, SpecVersion)
	case *head.Runnel < 1:
		return nil, Errorf(ErrInvalid, "", "pipeline is of version %d, which does not exist", *head.Runnel)
	}
	s := new(Spec)
	if err := parseSpec(s, data, "", 0); err != nil {
		return nil, err
	}
	return s, nil
}

func parseSpec(s *Spec, data []byte, where string, depth int) error {
	if depth > MaxDepth {
		return Errorf(ErrInvalid, where, "nested deeper than %d levels", MaxDepth)
	}
	var raw specJSON
	if err := strict(data, &raw, where); err != nil {
		return err
	}
	if raw.Runnel != nil && depth > 0 {
		return Errorf(ErrInvalid, where, "only the outermost pipeline has a version")
	}
	s.Inline, s.State = raw.Inline, raw.State
	if raw.State != nil && raw.State.Value == nil {
		return Errorf(ErrInvalid, join(where, "state"), "has no value")
	}
	s.Steps = make([]Step, len(raw.Steps))
	for i, step := range raw.Steps {
		if err := parseStep(&s.Steps[i], step, join(where, fmt.Sprintf("steps[%d]", i)), depth); err != nil {
			return err
		}
	}
	if raw.Finally == nil || string(raw.Finally) == "null" {
		return nil
	}
	s.Finally = new(Step)
	return parseStep(s.Finally, raw.Finally, join(where, "finally"), depth)
}

func parseStep(s *Step, data []byte, where string, depth int) error {
	var raw stepJSON
	if err := strict(data, &raw, where); err != nil {
		return err
	}
	kinds := 0
	for _, set := range []bool{raw.Task != nil, raw.Value != nil, raw.Children != nil, raw.Each != nil, raw.Chain != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return Errorf(ErrInvalid, where, "has %d of task, value, children, each, chain; want exactly one", kinds)
	}
	switch raw.On {
	case "", "error":
		s.OnError = raw.On != ""
	default:
		return Errorf(ErrInvalid, where, `"on" is %q; want "error" or nothing`, raw.On)
	}
	if raw.Task == nil && (raw.Args != nil || raw.Spread != 0 || raw.Options != nil) {
		return Errorf(ErrInvalid, where, "args, spread and options go with a task")
	}
	if raw.Children == nil && raw.Each == nil && !raw.IsZero() {
		return Errorf(ErrInvalid, where, "max_parallelism, num_stages, fail_fast, settle and kill_switches go with children or each")
	}
	s.Wait, s.Ignore = raw.Wait, raw.Ignore
	switch {
	case raw.Task != nil:
		s.Call = &Call{Task: *raw.Task, Args: raw.Args, Spread: raw.Spread, Options: raw.Options}
	case raw.Value != nil:
		s.Value = raw.Value
	case raw.Children != nil:
		s.Group = &Group{Children: make([]Spec, len(raw.Children)), GroupOptions: raw.GroupOptions}
		for i, child := range raw.Children {
			if err := parseSpec(&s.Group.Children[i], child, join(where, fmt.Sprintf("children[%d]", i)), depth+1); err != nil {
				return err
			}
		}
	case raw.Each != nil:
		s.Each = &Each{GroupOptions: raw.GroupOptions}
		return parseSpec(&s.Each.Do, raw.Each, join(where, "each"), depth+1)
	default:
		s.Chain = new(Spec)
		return parseSpec(s.Chain, raw.Chain, join(where, "chain"), depth+1)
	}
	return nil
}

// strict decodes data and refuses fields that are not known, so that a typing
// error is never silently ignored.
func strict(data []byte, into any, where string) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			return Errorf(ErrInvalid, where, "%s", e.Msg)
		}
		return Errorf(ErrInvalid, where, "%w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Errorf(ErrInvalid, where, "something follows the pipeline")
	}
	return nil
}

func join(where, part string) string {
	if where == "" {
		return part
	}
	return where + "." + part
}
