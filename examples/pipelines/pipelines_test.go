package main

import (
	"strings"
	"testing"
)

const want = `continuation: 3
fan-out: [6 20]
aggregate: 13
nested: 9.5
max parallelism: [6 20]
stages: [6 20]
state: 15
no error: 6
error: -1
errors: a failed, b helped, c failed, d helped
finally: 6
initial argument: 10001
initial state: 16
composition: 50
condition: 1
recursion: 100
isolated: 6
inline: 16
combined: gcs: the contents of s3/file
combined with arguments: archive: the contents of s3/file
combined via: gcs: THE CONTENTS OF S3/FILE
`

func TestPipelines(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}
