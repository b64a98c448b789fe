package runnel_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// taskCases are the numbers of the specification of tasks.
const taskCases = `1 2 3 4 5 6 7 8 10 12 13 14 15 16 17 18 20 21 22 23 24 25 26 27 28 29 30 31 32 34 35 37 38 39 41 43 45 46 47 48 50
	51 54 55 56 57 59 60 61 62 63 66 67 69 71 72 73 74 75 76 79 80 84 89 90 92 93 94 95 96 97 98 99 100 101 102 103 104 106 107 108 109
	110 112 113 115 119 121 123 124 126 128 130 134 135 136 137 138 139 140 145 149 150 151 153 156 157 158 160 161 163 165 167 168 170
	171 172 173 174 175 176 a b c d e f g h i j k l m`

// TestEveryTaskCase: each number has a line in docs/task-cases.md, and the tests
// that stand there exist.
func TestEveryTaskCase(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("docs", "task-cases.md"))
	do(t, err)
	tests := map[string]bool{}
	for _, f := range sources(t) {
		if f.test {
			src, err := os.ReadFile(f.path)
			do(t, err)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(src), -1) {
				tests[m[1]] = true
			}
		}
	}
	seen := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([0-9a-m, ]+) \| ([^|]+) \| ([^|]*) ?\|$`).FindAllStringSubmatch(string(doc), -1) {
		for number := range strings.SplitSeq(m[1], ", ") {
			seen[number]++
		}
		if strings.TrimSpace(m[2]) == "–" && strings.TrimSpace(m[3]) == "" {
			t.Errorf("cases %s have neither a test nor a reason", m[1])
		}
		for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(m[2], -1) {
			if !tests[name] {
				t.Errorf("cases %s: there is no %s", m[1], name)
			}
		}
	}
	for number := range strings.FieldsSeq(taskCases) {
		if seen[number] != 1 {
			t.Errorf("case %s stands in %d lines, want one", number, seen[number])
		}
		delete(seen, number)
	}
	for number := range seen {
		t.Errorf("there is no case %s", number)
	}
}
