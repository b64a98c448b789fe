package store

// Seldom is what few cells have; a task in memory has room for a pointer to it.
type Seldom struct {
	Failure []byte // JSON of api.Failure
	Due     int64  // when the next attempt may start
	Start   int64  // when the first one may, 0: at once
	Anew    int64  // of a flow: calls of generations before this one don't count
	Name    string // of the state, where it does not follow from the rest of the row
	Shown   string // the task run's name, where that is not the default
	Token   []byte // nonce of the token that was given out
	Answer  []byte // JSON of an external answer that came before Pending
	Parts   []byte // JSON of []api.Part
	Tags    []byte // JSON of []string, nil for none
	Cache   []byte // JSON of api.CacheUse, nil for none
	Waiting bool   // the body returned Pending
}

// Seldom gives what few cells have, to be read.
func (c *TaskCell) Seldom() (s Seldom) {
	if c.seldom != nil {
		s = *c.seldom
	}
	return s
}

// Waiting reports whether the body returned Pending.
func (c *TaskCell) Waiting() bool { return c.seldom != nil && c.seldom.Waiting }

// Put gives the same, to be changed.
func (c *TaskCell) Put() *Seldom {
	if c.seldom == nil {
		c.seldom = new(Seldom)
	}
	return c.seldom
}

// Unasked forgets the token and its answer.
func (c *TaskCell) Unasked() {
	if c.seldom != nil {
		c.seldom.Token, c.seldom.Answer = nil, nil
	}
}

// Settled forgets what the task waited for, and how its last attempt failed.
func (c *TaskCell) Settled() {
	if c.seldom != nil {
		c.seldom.Token, c.seldom.Answer, c.seldom.Due, c.seldom.Failure = nil, nil, 0, nil
		c.seldom.Waiting = false
	}
}

// Again gives the cell of a task that begins anew: what it was told is kept.
func (c *TaskCell) Again() TaskCell {
	again := TaskCell{Upstream: c.Upstream}
	if x := c.seldom; x != nil && (x.Shown != "" || x.Start != 0) {
		again.seldom = &Seldom{Shown: x.Shown, Start: x.Start}
	}
	return again
}

func (x *Seldom) append(b []byte) []byte {
	b = appendBytes(b, tagFailure, x.Failure)
	b = appendInt(appendInt(b, tagDue, x.Due), tagStart, x.Start)
	b = appendInt(appendString(b, tagName, x.Name), tagAnew, x.Anew)
	b = appendString(b, tagShown, x.Shown)
	b = appendBytes(b, tagToken, x.Token)
	b = appendBytes(b, tagAnswer, x.Answer)
	b = appendBytes(b, tagParts, x.Parts)
	b = appendBytes(b, tagTags, x.Tags)
	return appendBytes(b, tagCache, x.Cache)
}
