package web

import (
	"errors"
	"net/http"
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
