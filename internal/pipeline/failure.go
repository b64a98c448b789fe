package pipeline

import (
	"strconv"

	"github.com/runnel-dev/runnel/api"
)

// GroupFailure is that of a group with failed children: the causes are theirs,
// in declaration order, cut to api.MaxCauses.
func GroupFailure(causes []*api.Failure, failed, count int) *api.Failure {
	return &api.Failure{
		Type:    "*runnel.Failure",
		Message: strconv.Itoa(failed) + " of " + strconv.Itoa(count) + " failed",
		Causes:  causes[:min(len(causes), api.MaxCauses)],
		Count:   failed,
	}
}
