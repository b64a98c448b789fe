//go:build !no_ui

package runnel

import (
	"log/slog"
	"net/http"

	"github.com/runnel-dev/runnel/internal/web"
)

// pages puts pages before the REST API.
func pages(api http.Handler, log *slog.Logger) http.Handler {
	return web.Handler(api, web.Options{Log: log})
}
