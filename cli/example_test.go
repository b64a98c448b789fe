package cli_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/cli"
)

// A program's whole main function: its tasks, and the commands that start and watch
// them.
func ExampleMain() { //nolint:testableexamples // it would end the program
	cli.Main(runnel.Register(double, echo))
}

// Run is for programs that have commands of their own around these.
func ExampleRun() {
	env := &cli.Env{
		In: strings.NewReader(""), Out: os.Stdout, Err: os.Stderr, Now: time.Now, Getenv: os.Getenv,
		Options: []runnel.OpenOption{runnel.Register(double)},
	}
	code := cli.Run(context.Background(), env, strings.Fields("run start double 21 --db memory: --wait -q"))
	fmt.Println("exit code", code)
	// Output:
	// 42
	// exit code 0
}
