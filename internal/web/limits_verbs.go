package web

import (
	"net/http"
	"slices"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// inUse tells in a sentence who is concerned.
func inUse(l *api.Limit) string {
	return plural(l.Active, "slot") + " in use, " + plural(l.Waiting, "task run") + " waiting."
}

func (v *view) limit() (*api.Limit, string, error) {
	l, err := get[api.Limit](v, at("/limits/%", v.r.PathValue("tag")), nil)
	u := at("limits/%", l.Tag)
	v.page.Nav, v.page.Crumb = "limits", []link{{"Limits", "limits"}, {l.Tag, u}}
	return &l, u, err
}

func askResetLimit(v *view) error {
	l, u, err := v.limit()
	if err != nil {
		return err
	}
	return v.confirm(&confirmation{
		Title: "Reset the limit on the tag “" + l.Tag + "”?",
		Text: []string{
			inUse(l) + " All slots are taken to be free, and the first in line get them.",
			"Do so only if slots are held that nobody uses: whoever uses one now goes on, so more than " + number(l.Limit) + " can run for a while.",
		},
		Items: l.ActiveSlots[:min(len(l.ActiveSlots), 5)], More: max(len(l.ActiveSlots)-5, 0),
		Reason: true, Action: u + "/reset", Button: "Reset, " + plural(l.Active, "slot"), Danger: true, Back: u,
	})
}

func resetLimit(v *view) error {
	l, u, err := v.limit()
	if err != nil {
		return err
	}
	if _, err := change[any](v, http.MethodPost, at("/limits/%/reset", l.Tag), nil); err != nil {
		return err
	}
	return v.done(u, "The slots of the tag “"+l.Tag+"” are free.")
}

func askReleaseSlot(v *view) error {
	l, u, err := v.limit()
	if err != nil {
		return err
	}
	slot := v.r.URL.Query().Get("slot")
	if !slices.Contains(l.ActiveSlots, slot) {
		return notHeld(slot, l.Tag)
	}
	return v.confirm(&confirmation{
		Title: "Release a slot of the tag “" + l.Tag + "”?",
		Text: []string{
			"The slot is taken to be free, and the first in line gets it. " + plural(l.Waiting, "task run") + " waiting.",
			"Do so only if nobody uses it: a body that runs goes on, so more than " + number(l.Limit) + " can run for a while.",
		},
		Items: []string{slot}, Hidden: []link{{"slot", slot}},
		Reason: true, Action: u + "/release", Button: "Release the slot", Danger: true, Back: u,
	})
}

// notHeld says that a task run has no slot any more.
func notHeld(slot, tag string) error {
	return &problem{Status: http.StatusConflict, Code: api.ErrConflict.Code, Title: "It has no slot", Detail: "The task run " + slot + " has no slot of the tag “" + tag + "” any more."}
}

func releaseSlot(v *view) error {
	l, u, err := v.limit()
	if err != nil {
		return err
	}
	slot := v.text("slot")
	if slot == "" { // which would be all of them
		return notHeld(slot, l.Tag)
	}
	if _, err := change[any](v, http.MethodPost, at("/limits/%/reset", l.Tag), httpapi.SlotsToReset{Slots: []string{slot}}); err != nil {
		return err
	}
	return v.done(u, "The slot of "+short(slot)+" is free.")
}

func askDeleteLimit(v *view) error {
	l, u, err := v.limit()
	if err != nil {
		return err
	}
	return v.confirm(&confirmation{
		Title: "Delete the limit on the tag “" + l.Tag + "”?",
		Text:  []string{inUse(l) + " Whoever waits begins, as far as there are workers."},
		Items: l.Waiters[:min(len(l.Waiters), 5)], More: max(l.Waiting-5, 0),
		Reason: true, Action: u + "/delete", Button: deleteSays(l), Danger: true, Back: u,
	})
}

func deleteSays(l *api.Limit) string {
	if l.Waiting == 0 {
		return "Delete the limit"
	}
	return "Delete, and let " + number(l.Waiting) + " begin"
}

func deleteLimit(v *view) error {
	l, _, err := v.limit()
	if err != nil {
		return err
	}
	if _, err := change[any](v, http.MethodDelete, at("/limits/%", l.Tag), nil); err != nil {
		return err
	}
	return v.done("limits", "The limit on the tag “"+l.Tag+"” is deleted.")
}
