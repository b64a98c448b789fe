package httpapi

import (
	"strconv"
	"testing"
	"time"
)

func TestOldestSessionGivesWay(t *testing.T) {
	var s sessions
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var cookies []string
	for i := range maxSessions + 2 {
		cookies = append(cookies, s.add(strconv.Itoa(i), now.Add(time.Duration(i)*time.Millisecond)))
	}
	for i, cookie := range cookies {
		secret, ok := s.find(cookie, now)
		if want := i >= 2; ok != want || ok && secret != strconv.Itoa(i) {
			t.Errorf("session %d of %d is found: %v (%q), want %v", i, len(cookies), ok, secret, want)
		}
	}
}
