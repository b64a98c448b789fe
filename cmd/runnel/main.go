// Runnel is the command line without tasks of its own: it speaks to a server, or
// looks into a database. A program that has tasks gets the same commands by one
// line, see package cli.
package main

import "github.com/runnel-dev/runnel/cli"

func main() { cli.Main() }
