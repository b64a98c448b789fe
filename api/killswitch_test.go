package api_test

import (
	"errors"
	"testing"

	"github.com/runnel-dev/runnel/api"
)

// A share that is written as n/m trips at n of m, for all of them that are short.
func TestFailureRateAtTheShare(t *testing.T) {
	for total := 1; total <= 200; total++ {
		for failed := 1; failed <= total; failed++ {
			k := api.KillSwitch{Kind: api.FailureRate, MinSample: 1, Rate: float64(failed) / float64(total)}
			for times := 1; times <= 5; times++ {
				at := api.BatchCounts{Ended: times * total, Failed: times * failed}
				below := api.BatchCounts{Ended: at.Ended, Failed: at.Failed - 1}
				if !k.Trips(at) || k.Trips(below) {
					t.Fatalf("%s with %+v: %t, with one less: %t; want true, false", k, at, k.Trips(at), k.Trips(below))
				}
			}
		}
	}
	if k := (api.KillSwitch{Kind: api.FailureRate, MinSample: 10, Rate: 0.1}); !k.Trips(api.BatchCounts{Ended: 30, Failed: 3}) {
		t.Error("3 of 30 do not trip a rate of 0.1")
	}
}

func TestKillSwitchCheck(t *testing.T) {
	for _, c := range []struct {
		k  api.KillSwitch
		ok bool
	}{
		{api.KillSwitch{Kind: api.AnyFailed}, true},
		{api.KillSwitch{Kind: api.FailedCount, Count: 1}, true},
		{api.KillSwitch{Kind: api.FailureRate, MinSample: 1, Rate: 1}, true},
		{api.KillSwitch{Kind: api.OwnSwitch, Name: "x"}, true},
		{api.KillSwitch{}, false},
		{api.KillSwitch{Kind: api.AnyFailed, Count: 1}, false},
		{api.KillSwitch{Kind: api.FailedCount}, false},
		{api.KillSwitch{Kind: api.FailedCount, Count: 1, Rate: 0.5}, false},
		{api.KillSwitch{Kind: api.FailureRate, MinSample: 1}, false},
		{api.KillSwitch{Kind: api.FailureRate, MinSample: 1, Rate: 0.5, Name: "x"}, false},
		{api.KillSwitch{Kind: api.OwnSwitch}, false},
		{api.KillSwitch{Kind: api.OwnSwitch, Name: "x", MinSample: 1}, false},
	} {
		err := c.k.Check()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, api.ErrInvalid) {
			t.Errorf("Check of %+v gave %v, want none: %t", c.k, err, c.ok)
		}
	}
}
