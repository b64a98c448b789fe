//go:build !race

package cli_test

var quick []string
