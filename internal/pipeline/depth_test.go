package pipeline

import (
	"errors"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// TestDepth: what is nested too deep to be read again is refused at once.
func TestDepth(t *testing.T) {
	nest := func(levels int) *api.Spec {
		s := api.Spec{Steps: []api.Step{{Value: []byte("1")}}}
		for range levels {
			s = api.Spec{Steps: []api.Step{{Group: &api.Group{Children: []api.Spec{s}}}}}
		}
		return &s
	}
	none := func(string) *Signature { return nil }
	deep := nest(api.MaxDepth)
	if _, err := Compile(deep, none); err != nil {
		t.Errorf("%d levels: %v", api.MaxDepth, err)
	}
	text, err := deep.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.ParseSpec(text); err != nil {
		t.Errorf("what compiles can't be read again: %v", err)
	}
	if _, err := Compile(nest(api.MaxDepth+1), none); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("%d levels: %v, want ErrInvalid", api.MaxDepth+1, err)
	}
}
