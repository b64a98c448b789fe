//go:build no_ui

package runnel

import (
	"log/slog"
	"net/http"
)

// pages are not in this program.
func pages(api http.Handler, _ *slog.Logger) http.Handler { return api }
