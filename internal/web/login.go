package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

// loginPage is the page that asks for a token.
type loginPage struct {
	Next  string
	Wrong string // why the token was refused
}

func showLogin(v *view) error {
	v.page.Title = "Log in"
	return v.render("login", http.StatusOK, loginPage{Next: inside(v.r.URL.Query().Get("next"))})
}

// login hands the token to the API and its cookie to the browser.
func login(v *view) error {
	next := inside(v.r.PostFormValue("next"))
	a, err := v.request(http.MethodPost, "/login", nil, map[string]string{"token": v.r.PostFormValue("token")}, nil)
	if p, ok := errors.AsType[*problem](err); ok && p.Status < http.StatusInternalServerError {
		v.page.Title = "Log in"
		if p.Status == http.StatusUnprocessableEntity {
			p.Detail = "Type the token, all of it."
		}
		return v.render("login", p.Status, loginPage{Next: next, Wrong: p.Detail})
	}
	if err != nil {
		return err
	}
	v.passCookies(a)
	return v.redirect(next)
}

func logout(v *view) error {
	a, err := v.request(http.MethodPost, "/logout", nil, nil, nil)
	if err != nil {
		return err
	}
	v.passCookies(a)
	return v.redirect("login")
}

func (v *view) passCookies(a *answer) {
	for _, c := range a.header.Values("Set-Cookie") {
		v.w.Header().Add("Set-Cookie", c)
	}
}

// search jumps to what an id begins with, and else filters runs.
func search(v *view) error {
	q := v.r.URL.Query().Get("q")
	if looksLikeID(q) {
		found, err := get[httpapi.Found](v, "/search", url.Values{"q": {q}})
		switch {
		case err != nil:
			return err
		case len(found.Runs) == 1:
			return v.redirect(at("runs/%", found.Runs[0]))
		case len(found.Runs) > 1:
			return v.redirect("runs?" + url.Values{"q": {"id:" + q}}.Encode())
		}
	}
	if q == "" {
		return v.redirect("runs")
	}
	return v.redirect("runs?" + url.Values{"q": {q}}.Encode())
}

// looksLikeID reports whether a text may begin an id: four digits of it or more.
func looksLikeID(q string) bool {
	if len(q) < 4 || len(q) > 36 {
		return false
	}
	for _, c := range q {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != '-' {
			return false
		}
	}
	return true
}
