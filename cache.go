package runnel

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json/jsontext"
	"slices"
	"strconv"
	"time"

	"github.com/runnel-dev/runnel/api"
)

// CacheKey makes a task take its result from the cache, if a task run that
// completed left one there under the same key, and leave its own otherwise. Of
// those that have one key, one body runs at a time, over all runs of the engine:
// the others wait, and take what it leaves. Only what completed is kept. A task
// run that takes a result is COMPLETED, named "Cached"; its body and the hooks
// around it don't run ([OnCompletion] is called), it needs no slot of its tags, and the pipeline's state stays as it is.
//
// Keys are global: two tasks with one key share a result. A function that gives
// "" has the call run uncached, and so does one that fails or panics, which is
// logged. A key of more than [api.MaxCacheKey] bytes fails the task. [InputHash]
// is such a function. The function runs on the worker, for each attempt.
//
// Flows and orchestrators are cached as well, but do not wait for each other:
// what they call might need the same key. An orchestrator's result is that of
// the pipeline it returns.
//
// It goes before [CacheBy]. Default: nothing is cached.
func CacheKey(key func(c CallFacts) (string, error)) TaskOption {
	return checkedOption(func(d *declaration) error {
		if key == nil {
			return api.Errorf(ErrInvalid, "", "CacheKey: the function is nil")
		}
		d.work.CacheKey = func(job *api.Job) (string, []api.CachePart, error) {
			c, err := factsOf(d, job)
			if err != nil {
				return "", nil, err
			}
			k, err := key(c)
			return k, nil, err
		}
		d.keyed = true
		return nil
	})
}

// CacheBy is [CacheKey] with a key that is made of what the policies name, and of
// the task's name: CacheBy(ByInputs, ByVersion). It can be told which part of a
// key differed, see [Cache.Explain].
func CacheBy(first CachePolicy, more ...CachePolicy) TaskOption {
	policy := first.And(more...)
	return checkedOption(func(d *declaration) error {
		switch {
		case len(policy.parts) == 0:
			return api.Errorf(ErrInvalid, "", "CacheBy: the policies name nothing")
		case d.keyed:
			return nil
		}
		d.work.CacheKey = func(job *api.Job) (string, []api.CachePart, error) {
			c, err := factsOf(d, job)
			if err != nil {
				return "", nil, err
			}
			return policy.key(&c)
		}
		return nil
	})
}

// Version is the version of a task's body: another one, other results. It is part
// of the key with [InputHash] and [ByVersion]. Default "".
func Version(version string) TaskOption {
	return taskOption(func(d *declaration) { d.version = version })
}

// CacheExpiration is for how long a result may be taken from the cache, from the
// end of the task run that made it. Default 0: for ever. A negative one keeps
// nothing.
func CacheExpiration(d time.Duration) CallOption {
	return callOption(func(o *api.Options) error {
		o.CacheExpiration = api.Duration(d)
		return nil
	})
}

// RefreshCache runs the body whatever the cache has, and replaces that with what
// it gives.
func RefreshCache() CallOption {
	return callOption(func(o *api.Options) error {
		o.RefreshCache = true
		return nil
	})
}

// CachePolicy names what a key is made of, see [CacheBy]. It is a value: And and
// Without give others.
type CachePolicy struct {
	parts   []func(c *CallFacts, without []int) ([]api.CachePart, error)
	without []int
}

// The policies.
var (
	// ByInputs is the arguments, as JSON with sorted keys.
	ByInputs = CachePolicy{parts: []func(*CallFacts, []int) ([]api.CachePart, error){inputParts}}
	// ByVersion is what [Version] says.
	ByVersion = onePart("version", func(c *CallFacts) string { return c.Version })
	// ByRun is the run's id: results are taken within one run only.
	ByRun = onePart("run", func(c *CallFacts) string { return c.Run })
	// ByFlow is the task run of the flow that makes the call: results are taken
	// within that flow only.
	ByFlow = onePart("flow", func(c *CallFacts) string { return c.Flow })
	// ByFlowParameters is the arguments of the flow that makes the call.
	ByFlowParameters = CachePolicy{parts: []func(*CallFacts, []int) ([]api.CachePart, error){flowParts}}
)

func onePart(name string, value func(*CallFacts) string) CachePolicy {
	return CachePolicy{parts: []func(*CallFacts, []int) ([]api.CachePart, error){
		func(c *CallFacts, _ []int) ([]api.CachePart, error) {
			return []api.CachePart{{Name: name, Value: value(c)}}, nil
		},
	}}
}

// And joins policies: a key is made of all their parts.
func (p CachePolicy) And(more ...CachePolicy) CachePolicy {
	out := CachePolicy{parts: slices.Clone(p.parts), without: slices.Clone(p.without)}
	for _, m := range more {
		out.parts = append(out.parts, m.parts...)
		out.without = append(out.without, m.without...)
	}
	return out
}

// Without leaves arguments out of the inputs, counted from 0.
func (p CachePolicy) Without(args ...int) CachePolicy {
	p.without = append(slices.Clone(p.without), args...)
	return p
}

func inputParts(c *CallFacts, without []int) (parts []api.CachePart, err error) {
	for i, arg := range c.args {
		if slices.Contains(without, i) {
			continue
		}
		value, err := canonical(arg)
		if err != nil {
			return nil, err
		}
		parts = append(parts, api.CachePart{Name: "argument " + strconv.Itoa(i+1), Value: value})
	}
	return parts, nil
}

func flowParts(c *CallFacts, _ []int) (parts []api.CachePart, err error) {
	for i, arg := range c.flowArgs {
		value, err := canonical(arg)
		if err != nil {
			return nil, err
		}
		parts = append(parts, api.CachePart{Name: "flow argument " + strconv.Itoa(i+1), Value: value})
	}
	return parts, nil
}

// canonical gives JSON with its keys sorted and without spaces.
func canonical(data []byte) (string, error) {
	if !bytes.ContainsAny(data, "{ \t\r\n") {
		return string(data), nil
	}
	v := jsontext.Value(slices.Clone(data))
	if err := v.Format(jsontext.ReorderRawObjects(true), jsontext.AllowDuplicateNames(true)); err != nil {
		return "", api.Errorf(ErrEncoding, "", "an argument is not JSON: %w", err)
	}
	return string(v), nil
}

// shownPart is how long the value of a part may be before a hash stands for it.
const shownPart = 64

// key hashes the parts, and makes those short that are long.
func (p CachePolicy) key(c *CallFacts) (string, []api.CachePart, error) {
	var all []api.CachePart
	for _, part := range p.parts {
		parts, err := part(c, p.without)
		if err != nil {
			return "", nil, err
		}
		all = append(all, parts...)
	}
	sum := sha256.New()
	var line []byte
	for i := range all {
		line = strconv.AppendQuote(append(line[:0], all[i].Name...), all[i].Value)
		sum.Write(append(line, '\n'))
		if len(all[i].Value) > shownPart {
			own := sha256.Sum256([]byte(all[i].Value))
			all[i].Value = "sha256:" + hex.EncodeToString(own[:16])
		}
	}
	return c.Task + ":" + hex.EncodeToString(sum.Sum(nil)[:20]), all, nil
}

// InputHash is a key of the task's name, its [Version] and its arguments:
// CacheKey(InputHash). It is what seed 002 calls task_input_hash.
func InputHash(c CallFacts) (string, error) {
	key, _, err := ByInputs.And(ByVersion).key(&c)
	return key, err
}
