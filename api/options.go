package api

import (
	"encoding/json"
	"time"
)

// Duration is a time.Duration that is text in JSON, as in "1.5s".
type Duration time.Duration

// MarshalText gives text such as "1.5s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads text such as "1.5s".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return Errorf(ErrInvalid, "", "%q is not a duration such as \"1.5s\"", text)
	}
	*d = Duration(v)
	return nil
}

// Options are the plain-data options of one call of a task. A nil pointer or
// zero field leaves what the task itself was declared with.
type Options struct {
	// Name is shown instead of the task's name.
	Name string `json:"name,omitempty"`
	// Retry replaces the task's policy whole.
	Retry *RetryPolicy `json:"retry,omitempty"`
	// Tags label the call; sorted, each once.
	Tags []string `json:"tags,omitempty"`
	// AddTags are more labels, beside those. Sorted, each once.
	AddTags []string `json:"add_tags,omitempty"`
	// Timeout bounds one attempt, and the wait for an external answer. 0: none.
	Timeout Duration `json:"timeout,omitempty"`
	// HeartbeatTimeout bounds the time between two heartbeats. 0: none.
	HeartbeatTimeout Duration `json:"heartbeat_timeout,omitempty"`
	// TaskID names the instance: calls with the same id run one after the other
	// and share keyed state.
	TaskID string `json:"task_id,omitempty"`
	// StartAt is before when it does not begin. Zero: at once.
	StartAt time.Time `json:"start_at,omitzero"`
	// StartAfter is how long it does not begin after what comes before it has
	// ended. 0: at once. It does not go with StartAt.
	StartAfter Duration `json:"start_after,omitempty"`
	// CacheExpiration is for how long a result is kept in the cache. 0: for ever.
	// A negative one keeps a result that is never taken.
	CacheExpiration Duration `json:"cache_expiration,omitempty"`
	// RefreshCache runs the body whatever the cache has, and replaces that.
	RefreshCache bool `json:"refresh_cache,omitempty"`
	// Queue is who runs it: engines that serve the queue. "": "default".
	Queue string `json:"queue,omitempty"`
	// Priority says what begins first, from -100 to 100, the higher before the
	// lower. nil: 0.
	Priority *int `json:"priority,omitempty"`
}

// Over gives what o says, and what base says where o says nothing.
func (o *Options) Over(base Options) Options {
	out := base
	if o.Name != "" {
		out.Name = o.Name
	}
	if o.Retry != nil {
		out.Retry = o.Retry
	}
	if o.Tags != nil {
		out.Tags = o.Tags
	}
	if o.AddTags != nil {
		out.AddTags = o.AddTags
	}
	if o.Timeout != 0 {
		out.Timeout = o.Timeout
	}
	if o.HeartbeatTimeout != 0 {
		out.HeartbeatTimeout = o.HeartbeatTimeout
	}
	if o.TaskID != "" {
		out.TaskID = o.TaskID
	}
	if !o.StartAt.IsZero() || o.StartAfter != 0 {
		out.StartAt, out.StartAfter = o.StartAt, o.StartAfter
	}
	if o.CacheExpiration != 0 {
		out.CacheExpiration = o.CacheExpiration
	}
	out.RefreshCache = out.RefreshCache || o.RefreshCache
	if o.Queue != "" {
		out.Queue = o.Queue
	}
	if o.Priority != nil {
		out.Priority = o.Priority
	}
	return out
}

// IsZero reports whether nothing is said.
func (o *Options) IsZero() bool {
	return o.Name == "" && o.Retry == nil && o.Tags == nil && o.AddTags == nil && o.Timeout == 0 && o.HeartbeatTimeout == 0 && o.TaskID == "" &&
		o.StartAt.IsZero() && o.StartAfter == 0 && o.CacheExpiration == 0 && !o.RefreshCache && o.Queue == "" && o.Priority == nil
}

// RetryPolicy says whether and when a failed attempt is followed by another.
type RetryPolicy struct {
	// Max is how many attempts may follow the first. 0: none.
	Max int `json:"max,omitempty"`
	// Delays are the waits before the second, third … attempt; the last one
	// repeats. None: at once.
	Delays []Duration `json:"delays,omitempty"`
	// Exponential doubles the last delay each time it repeats.
	Exponential bool `json:"exponential,omitempty"`
	// Cap bounds a delay, before jitter. 0: a year.
	Cap Duration `json:"cap,omitempty"`
	// Jitter adds up to this share of the delay at random: 0.5 for up to half.
	Jitter float64 `json:"jitter,omitempty"`
	// On are names given to errors at Open; only those are retried. None: all.
	On []string `json:"on,omitempty"`
	// For bounds the time since the first attempt began; no attempt starts
	// after it. 0: no bound.
	For Duration `json:"for,omitempty"`
	// Child covers the pipeline that the task returns: if that fails, the task
	// runs again.
	Child bool `json:"child,omitempty"`
}

// Args are the bound arguments of a call, each of them JSON.
type Args []json.RawMessage
