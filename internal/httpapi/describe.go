package httpapi

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// statusesOf are those that operations have beside 200, by their ids.
var statusesOf = map[string]int{
	"submit-run": http.StatusCreated, "create-limit": http.StatusCreated, "set-limit": http.StatusCreated, "put-filter": http.StatusCreated,
	"set-global-limit": http.StatusCreated, "set-schedule": http.StatusCreated, "start-operation": http.StatusAccepted,
	"get-graph": http.StatusNotModified, "get-timeline": http.StatusNotModified,
}

var meaningOf = map[int]string{
	http.StatusCreated:     "It was not there before, and is now",
	http.StatusAccepted:    "It has begun; 200 is a dry run",
	http.StatusNotModified: "It is still what If-None-Match names",
}

// describeStatuses puts the statuses into the description that huma does not know of,
// since the handler decides on them.
func describeStatuses(doc *huma.OpenAPI) {
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if o == nil || statusesOf[o.OperationID] == 0 {
				continue
			}
			status := statusesOf[o.OperationID]
			more := &huma.Response{Description: meaningOf[status]}
			if as := o.Responses["200"]; as != nil {
				more.Headers = as.Headers
				if status != http.StatusNotModified {
					more.Content = as.Content
				}
			}
			o.Responses[strconv.Itoa(status)] = more
		}
	}
}
