package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

func newTokenCmd(env *Env) *cobra.Command {
	c := group("token", "Who may come in over HTTP", []string{"tokens"}, newTokenCreateCmd(env), newTokenLsCmd(env), newTokenRmCmd(env))
	c.Long = c.Short + `.

Tokens are kept in the database, without what they say to come in. A server asks
for them if it is started with --require-token or --token-file.`
	return c
}

func newTokenCreateCmd(env *Env) *cobra.Command {
	var role string
	var expires time.Duration
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a token and print it, this once", Args: exactly("NAME"),
		Example: "  runnel token create ci --role operator --expires 720h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !oneOf(role, "read-only operator admin worker") {
				return usagef("--role %s: want read-only, operator, admin or worker", role)
			}
			c, err := env.connect(cmd.Context(), change)
			if err != nil {
				return err
			}
			in := httpapi.TokenRequest{Name: args[0], Role: httpapi.Role(role), Expires: api.Duration(expires)}
			raw, _, err := send(cmd.Context(), c, http.MethodPost, "tokens", nil, in)
			if err != nil {
				return err
			}
			var t httpapi.NewToken
			if err := json.Unmarshal(raw, &t); err != nil {
				return err
			}
			if !env.printer.people() {
				return env.printer.one(raw, t.Secret, nil)
			}
			env.note("token %q, for %s; it is shown this once, set it as RUNNEL_TOKEN", t.Name, t.Role)
			_, err = fmt.Fprintln(env.Out, t.Secret)
			return err
		},
	}
	c.Flags().StringVar(&role, "role", "operator", "read-only, operator, admin or worker")
	c.Flags().DurationVar(&expires, "expires", 0, "for how long it is good, such as 720h; 0: for ever")
	_ = c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"read-only", "operator", "admin", "worker"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

var tokenTable = table[httpapi.Token]{
	id: func(t *httpapi.Token) string { return t.Name }, empty: "no tokens",
	columns: []column[httpapi.Token]{
		{name: "NAME", value: func(_ *printer, t *httpapi.Token) string { return t.Name }},
		{name: "ROLE", value: func(_ *printer, t *httpapi.Token) string { return string(t.Role) }},
		{name: "CREATED", value: func(p *printer, t *httpapi.Token) string { return p.moment(t.Created) }},
		{name: "EXPIRES", value: func(p *printer, t *httpapi.Token) string { return p.moment(t.Expires) }},
	},
}

func newTokenLsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Short: "List tokens, without what they say to come in", Args: none,
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
		Use: "rm NAME", Short: "Delete a token: it is good for nothing within seconds", Args: exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := env.connect(cmd.Context(), look)
			if err != nil {
				return err
			}
			if err := c.Do(cmd.Context(), http.MethodDelete, at("/tokens/%", args[0]), nil, nil, nil); err != nil {
				return hinted(err, "see: runnel token ls")
			}
			env.say("deleted token %q", args[0])
			return nil
		},
	}
}
