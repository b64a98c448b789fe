package httpapi

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// Raw sends a request as it stands, with the client's token, and gives the response
// whatever its status is; [ReadProblem] makes an error of one that is a problem. A
// path that begins with a slash is below the server's address, another one below
// [Base].
func (c *Client) Raw(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	to := c.base + "/" + path
	if strings.HasPrefix(path, "/") {
		to = strings.TrimSuffix(c.base, Base) + path
	}
	req, err := http.NewRequestWithContext(ctx, method, to, body)
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "", "%w", err)
	}
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, api.Errorf(ErrUnreachable, "", "%w", err)
	}
	return resp, nil
}

// ReadProblem gives the problem that a response is, and closes its body.
func ReadProblem(resp *http.Response) error { return readProblem(resp) }
