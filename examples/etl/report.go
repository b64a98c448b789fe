package main

import "fmt"

// total is what was sold.
type total struct {
	Rows  int64 `json:"rows"`
	Cents int64 `json:"cents"`
}

// report is what was sold in each region.
type report map[string]total

func (r report) add(region string, t total) {
	sum := r[region]
	sum.Rows += t.Rows
	sum.Cents += t.Cents
	r[region] = sum
}

func (r report) rows() (n int64) {
	for _, t := range r {
		n += t.Rows
	}
	return n
}

// differs says where r is not as it should be, "" for nowhere.
func (r report) differs(want report) string {
	for region, t := range want {
		if r[region] != t {
			return fmt.Sprintf("region %s has %+v, want %+v", region, r[region], t)
		}
	}
	if len(r) != len(want) {
		return fmt.Sprintf("%d regions, want %d", len(r), len(want))
	}
	return ""
}
