package web

import "net/http"

// turn is a switch of a queue or a process.
type turn struct{ path, verb, ask, text, done string }

var switches = []turn{
	{"queues", "pause", "Pause the queue", "What has begun goes on; nothing else of it begins, in any process, until it is resumed.", "is paused"},
	{"queues", "resume", "Resume the queue", "What waits in it begins as there is room.", "goes on"},
	{"workers", "drain", "Drain the process", "It finishes what it has, and takes no new work.", "takes no new work"},
	{"workers", "undrain", "Undrain the process", "It takes work again.", "takes work again"},
}

// turnRoutes ask, and do.
func turnRoutes() []route {
	var all []route
	for _, t := range switches {
		at := t.path + "/{id}/" + t.verb
		all = append(all,
			route{"GET /" + at, func(v *view) error { return v.askTurnOf(t) }},
			route{"POST /" + at, func(v *view) error { return v.doTurnOf(t) }})
	}
	return all
}

func (t *turn) url(id string) string { return at(t.path+"/%/", id) + t.verb }

func (v *view) askTurnOf(t turn) error {
	id := v.r.PathValue("id")
	v.page.Nav, v.page.Crumb = "workers", []link{{"Workers", "workers"}}
	return v.confirm(&confirmation{
		Title: t.ask + " “" + id + "”?", Text: []string{t.text}, Reason: true, Action: t.url(id), Button: t.ask, Back: "workers",
	})
}

func (v *view) doTurnOf(t turn) error {
	id := v.r.PathValue("id")
	if _, err := change[any](v, http.MethodPost, "/"+t.url(id), nil); err != nil {
		return err
	}
	return v.done("workers", "“"+id+"” "+t.done+".")
}
