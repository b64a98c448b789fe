package cli

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newAPICmd(env *Env) *cobra.Command {
	var data string
	var queries, headers []string
	var head bool
	c := &cobra.Command{
		Use: "api METHOD PATH", Short: "Send a request to the REST API as it stands", Args: exactly("METHOD", "PATH"),
		Long: `Send a request to the REST API as it stands, and print the answer. A PATH that
begins with a slash is the server's; another one is below /api/v1/.`,
		Example: `  runnel api GET runs -Q state=failed -Q limit=5
  runnel api POST runs -d '{"task": "report", "args": [1]}'
  runnel api GET /api/v1/openapi.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := withQuery(args[1], queries)
			if err != nil {
				return err
			}
			header := http.Header{}
			for _, h := range headers {
				name, value, ok := strings.Cut(h, ":")
				if !ok {
					return usagef("-H %s: want 'Name: value'", h)
				}
				header.Add(name, strings.TrimSpace(value))
			}
			var body io.Reader
			if data != "" {
				if body, err = env.data(data); err != nil {
					return err
				}
				if header.Get("Content-Type") == "" {
					header.Set("Content-Type", "application/json")
				}
			}
			method := strings.ToUpper(args[0])
			why := look
			if method != http.MethodGet && method != http.MethodHead {
				why = change
			}
			c, err := env.connect(cmd.Context(), why)
			if err != nil {
				return err
			}
			resp, err := c.Raw(cmd.Context(), method, path, header, body)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			return env.printResponse(resp, head)
		},
	}
	f := c.Flags()
	f.StringVarP(&data, "data", "d", "", "the body: `text`, @FILE, or - for standard input")
	f.StringArrayVarP(&queries, "query", "Q", nil, "`name=value` of the query")
	f.StringArrayVarP(&headers, "header", "H", nil, "`Name: value` of the header")
	f.BoolVarP(&head, "include", "i", false, "print status and header first")
	return c
}

func withQuery(path string, pairs []string) (string, error) {
	q := url.Values{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return "", usagef("-Q %s: want name=value", pair)
		}
		q.Add(name, value)
	}
	switch {
	case len(q) == 0:
		return path, nil
	case strings.Contains(path, "?"):
		return path + "&" + q.Encode(), nil
	}
	return path + "?" + q.Encode(), nil
}

func (env *Env) data(text string) (io.Reader, error) {
	name, file := strings.CutPrefix(text, "@")
	if !file && text != "-" {
		return strings.NewReader(text), nil
	}
	if text == "-" {
		name = text
	}
	body, err := env.readFile(name)
	return strings.NewReader(string(body)), err
}

func (env *Env) printResponse(resp *http.Response, head bool) error {
	if head {
		fmt.Fprintf(env.Out, "%d %s\n", resp.StatusCode, http.StatusText(resp.StatusCode))
		for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
			fmt.Fprintf(env.Out, "%s: %s\n", name, strings.Join(resp.Header[name], ", "))
		}
		fmt.Fprintln(env.Out)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return httpapi.ReadProblem(resp)
	}
	_, err := io.Copy(env.Out, resp.Body)
	return err
}
