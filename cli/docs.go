package cli

import (
	"cmp"
	_ "embed" // the skill
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/docs"
)

// page is a page of the documentation.
type page struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

var pageTable = table[page]{
	id: func(p *page) string { return p.Name }, empty: "no pages",
	columns: []column[page]{
		{name: "PAGE", value: func(_ *printer, p *page) string { return p.Name }},
		{name: "TITLE", value: func(_ *printer, p *page) string { return p.Title }},
	},
}

func pages() (list []page, err error) {
	entries, err := fs.ReadDir(docs.Files, ".") // ordered by name
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(docs.Files, e.Name())
		if err != nil {
			return nil, err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		list = append(list, page{strings.TrimSuffix(e.Name(), ".md"), strings.TrimPrefix(first, "# ")})
	}
	return list, nil
}

func newDocsCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "docs [PAGE]", Short: "List the pages of the documentation, or print one", Args: cobra.MaximumNArgs(1),
		Long: `List the pages of the documentation, or print one as Markdown: that of this program,
without a network. Set PAGER, or pipe it, to read it in pieces.`,
		Example: "  runnel docs guarantees | less",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			list, _ := pages() // of what is part of the program
			names := make([]string, len(list))
			for i := range list {
				names[i] = list[i].Name + "\t" + list[i].Title
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := pages()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return printRows(env, pageTable, list)
			}
			at := slices.IndexFunc(list, func(p page) bool { return p.Name == strings.TrimSuffix(args[0], ".md") })
			if at < 0 {
				var names []string
				for _, p := range list {
					names = append(names, p.Name)
				}
				near := cmp.Or(nearest(args[0], names), "one of "+strings.Join(names, ", "))
				return hinted(api.Errorf(api.ErrNotFound, "", "there is no page %q", args[0]), "did you mean %s", near)
			}
			text, err := fs.ReadFile(docs.Files, list[at].Name+".md")
			if err != nil {
				return err
			}
			_, err = env.Out.Write(text)
			return err
		},
	}
}

// skill is what a coding agent should know.
//
//go:embed skill/SKILL.md
var skill []byte

func newSkillCmd(env *Env) *cobra.Command {
	return group("skill", "What a coding agent should know of Runnel", nil, newSkillShowCmd(env), newSkillInstallCmd(env))
}

func newSkillShowCmd(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Print the skill", Args: none,
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Out.Write(skill)
			return err
		},
	}
}

func newSkillInstallCmd(env *Env) *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "install", Short: "Write the skill to where coding agents look for it", Args: none,
		Long: `Write the skill to where coding agents look for it: runnel/SKILL.md below --dir. One
that is there and differs is replaced once that is confirmed, or with -y.`,
		Example: "  runnel skill install\n  runnel skill install --dir ~/.claude/skills",
		RunE: func(*cobra.Command, []string) error {
			file := filepath.Join(dir, "runnel", "SKILL.md")
			was, err := os.ReadFile(file) //nolint:gosec // the user says where
			switch {
			case err == nil && string(was) == string(skill):
				return env.installed(file, "unchanged")
			case err == nil:
				if err := env.confirm(file+" is another one: replace it?", true); err != nil {
					return err
				}
			case !errors.Is(err, fs.ErrNotExist):
				return usagef("%w", err)
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
				return usagef("%w", err)
			}
			if err := os.WriteFile(file, skill, 0o600); err != nil {
				return usagef("%w", err)
			}
			return env.installed(file, "written")
		},
	}
	c.Flags().StringVar(&dir, "dir", filepath.Join(".claude", "skills"), "`folder` of skills")
	return c
}

func (env *Env) installed(file, how string) error {
	raw, err := json.Marshal(map[string]string{"file": file, "state": how})
	if err != nil {
		return err
	}
	return env.printer.one(raw, file, func(f *facts) { f.line(how, file) })
}
