package cli

import (
	"regexp"
	"strings"
	"testing"
)

// TestSkillNamesCommandsThatThereAre reads each `runnel …` of the skill.
func TestSkillNamesCommandsThatThereAre(t *testing.T) {
	root := newRootCmd(people())
	n := 0
	for _, m := range regexp.MustCompile("(?m)(?:^|`)runnel ([a-z][^\\n`]*)").FindAllStringSubmatch(string(skill), -1) {
		line, _, _ := strings.Cut(m[1], "#")
		words := strings.Fields(line)
		if words[0] == "help" {
			continue
		}
		cmd, rest, err := root.Find(words)
		if err != nil || cmd == root || cmd.HasSubCommands() {
			t.Errorf("runnel %s: there is no such command (%v)", line, err)
			continue
		}
		for _, w := range rest {
			if name, ok := strings.CutPrefix(w, "--"); ok && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				t.Errorf("runnel %s: there is no flag --%s", line, name)
			}
		}
		n++
	}
	if n < 15 {
		t.Errorf("%d commands were found in the skill", n)
	}
}
