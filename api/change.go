package api

// Change says that something is not what it was: one of Run, Tag, Schedule,
// Processes and All. It is news, not data: what is the case now is to be read.
type Change struct {
	// Number rises from change to change, also from one process to the one that is
	// started after it, with gaps.
	Number int64 `json:"number"`
	// Run is a run's id: its state, or task runs of it, have changed. State is the
	// new state if that has, else zero.
	Run   string `json:"run,omitempty"`
	State State  `json:"state,omitzero"`
	// Tag is one of which slots may have been taken or given back, if it has a limit.
	Tag      string `json:"tag,omitempty"`
	Schedule string `json:"schedule,omitempty"` // its name
	// Processes: some have come or gone, and with them workers and queues served.
	Processes bool `json:"processes,omitempty"`
	// All: anything may have changed. It is the first that one who listens is told,
	// and what one is told who did not keep up.
	All bool `json:"all,omitempty"`
}
