package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/runnel-dev/runnel/internal/httpapi"
)

func TestRunTimes(t *testing.T) {
	s := serve(t)
	id, _ := s.ran(t, task("fails"))
	for range 2 { // the second time they are kept
		status, _, text := s.get(t, "/api/v1/runs/"+id+"/times")
		var got httpapi.RunTimes
		if err := json.Unmarshal([]byte(text), &got); status != http.StatusOK || err != nil {
			t.Fatal(status, text, err)
		}
		if len(got.Tasks) != 1 || got.More {
			t.Fatalf("%s, want one name", text)
		}
		one := got.Tasks[0]
		if one.Task != "fails" || one.States["FAILED"] != 1 || one.Error == "" || !strings.HasPrefix(one.ErrorOf, id+"/") {
			t.Errorf("%s, want one that failed, with its text", text)
		}
		if one.Total <= 0 || one.Median != one.Total || one.P95 != one.Total || one.Longest != one.Total {
			t.Errorf("%s, want one time that is all of them", text)
		}
	}
	if status, _, text := s.get(t, "/api/v1/runs/00000000-0000-7000-8000-000000000000/times"); status != http.StatusNotFound {
		t.Errorf("of no run: %d %s", status, text)
	}
}
