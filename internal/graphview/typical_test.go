package graphview

import "time"

// typical is a run with something of everything.
func typical() *Graph {
	load := Node{ID: "load", Name: "load", Kind: Each, Seq: 2, After: []string{"plan"}, Index: -1}
	load.Counts = Counts{Failed: 9, Running: 214, Retrying: 12, Completed: 60_990, Planned: 38_775}
	return &Graph{Name: "etl-nightly", State: Running, Nodes: []Node{
		{ID: "extract", Name: "extract", Task: "extract", Seq: 0, State: Completed, Index: -1, Ran: 912 * time.Millisecond},
		{ID: "plan", Name: "plan", Kind: SubRun, Seq: 1, State: Running, After: []string{"extract"}, Index: -1, Ran: 65 * time.Second},
		{ID: "p1", Name: "split & \"cut\"", In: "plan", Seq: 10, State: Cached, Index: -1},
		{ID: "p2", Name: "weigh", In: "plan", Seq: 11, State: Failed, After: []string{"p1"}, Index: -1, Note: "connection refused"},
		{ID: "p3", Name: "\u5408\u8a08", In: "plan", Seq: 12, State: Skipped, After: []string{"p1", "p2"}, Index: -1},
		{ID: "choose", Name: "choose", Kind: Conditional, Seq: 3, State: Pending, After: []string{"plan"}, Index: -1, Note: "waits for load"},
		load,
		{ID: "report", Name: "report", Seq: 4, State: Planned, After: []string{"load", "choose"}, Index: -1},
		{ID: "alarm", Name: "alarm", Kind: Handler, Seq: 5, State: Planned, After: []string{"report"}, Index: -1},
		{ID: "cleanup", Name: "cleanup", Kind: Finally, Seq: 6, State: Planned, After: []string{"report", "alarm"}, Index: -1},
	}}
}
