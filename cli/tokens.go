package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

var tokenTable = table[httpapi.Token]{
	id: func(t *httpapi.Token) string { return t.Name }, empty: "no tokens",
	columns: []column[httpapi.Token]{
		{name: "NAME", value: func(_ *printer, t *httpapi.Token) string { return t.Name }},
		{name: "ROLE", value: func(_ *printer, t *httpapi.Token) string { return string(t.Role) }},
		{name: "CREATED", value: func(p *printer, t *httpapi.Token) string { return p.moment(t.Created) }},
		{name: "EXPIRES", value: func(p *printer, t *httpapi.Token) string {
			if t.Expires.IsZero() {
				return "never"
			}
			return p.moment(t.Expires)
		}},
	},
}

func newTokenCmd(env *Env) *cobra.Command {
	c := group("token", "Who may speak to a server", []string{"tokens"}, newTokenCreateCmd(env), newTokenLsCmd(env), newTokenRmCmd(env))
	c.Long = c.Short + `.

Tokens are kept in the database, without their secrets. A server that was started with
--require-token or --token-file lets in only who shows one. Whoever can open the
database can make one; through a server it needs the role admin.`
	return c
}

func newTokenCreateCmd(env *Env) *cobra.Command {
	var role string
	var expires time.Duration
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a token; its secret is printed this once", Args: exactly("NAME"),
		Example: "  runnel token create grafana --role read-only\n  runnel token create deploy --role operator --expires 720h -q > secret",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			want := httpapi.TokenRequest{Name: args[0], Role: httpapi.Role(role), Expires: api.Duration(expires)}
			raw, _, err := send(cmd.Context(), c, http.MethodPost, "tokens", nil, want)
			if err != nil {
				return err
			}
			var t httpapi.NewToken
			if err := json.Unmarshal(raw, &t); err != nil {
				return err
			}
			if env.flags.quiet {
				fmt.Fprintln(env.Out, t.Secret)
				return nil
			}
			return env.printer.one(raw, t.Name, func(f *facts) {
				f.line("token", t.Name)
				f.line("role", string(t.Role))
				f.line("secret", t.Secret)
			})
		},
	}
	c.Flags().StringVar(&role, "role", string(httpapi.Operator), "read-only, operator, admin or worker")
	c.Flags().DurationVar(&expires, "expires", 0, "for how long it is good; 0: for ever")
	return c
}

func newTokenLsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List tokens, without their secrets", Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			return printList(env, tokenTable, whole(cmd.Context(), c, "/tokens"))
		},
	}
}

func newTokenRmCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Aliases: []string{"delete"}, Short: "Delete a token: it is good for nothing within seconds", Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			if err := c.Do(cmd.Context(), http.MethodDelete, "/tokens/"+url.PathEscape(args[0]), nil, nil, nil); err != nil {
				return err
			}
			env.note("deleted token %q", args[0])
			return nil
		},
	}
}
