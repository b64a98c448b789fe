package runnel_test

import (
	"context"
	"fmt"
	"log"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func ExampleQueue() {
	render := runnel.NewTask1("render", func(_ context.Context, scene string) (string, error) { return scene + ".png", nil }, runnel.Queue("gpu"))
	eng := begin(render)
	defer end(eng)

	// An engine that was opened without Queues serves all. A call may go elsewhere
	// than its task.
	fmt.Println(eng.Run(ctx, render.Send("tree")))
	fmt.Println(eng.Run(ctx, render.Send("leaf").Set(runnel.Queue("default"))))
	// Output:
	// tree.png <nil>
	// leaf.png <nil>
}

func ExamplePriority() {
	started, release := make(chan bool), make(chan bool)
	var order []string
	job := runnel.NewTask1("job", func(_ context.Context, name string) (string, error) {
		order = append(order, name) // one body at a time
		if name == "first" {
			close(started)
			<-release
		}
		return name, nil
	})
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(job), runnel.Concurrency(1))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	var runs []*runnel.Run[string]
	submit := func(name string, priority int) {
		run, err := eng.Submit(ctx, job.Send(name).Set(runnel.Priority(priority)))
		if err != nil {
			log.Fatal(err)
		}
		runs = append(runs, run)
	}

	submit("first", 0)
	<-started
	submit("nightly", -10)
	submit("plain", 0)
	submit("urgent", 10)
	close(release)
	for _, run := range runs {
		if _, err := run.Wait(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(order)
	// Output: [first urgent plain nightly]
}

func ExampleQueues() {
	mail := runnel.NewTask1("mail", func(_ context.Context, to string) (string, error) { return "sent to " + to, nil }, runnel.Queue("mail"))
	render := runnel.NewTask1("render", func(_ context.Context, scene string) (string, error) { return scene + ".png", nil }, runnel.Queue("gpu"))

	// It runs what belongs to "mail", and keeps what belongs to "gpu".
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(mail, render), runnel.Queues("default", "mail"))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	waits, err := eng.Submit(ctx, render.Send("tree"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(eng.Run(ctx, mail.Send("Ada")))
	for run, err := range eng.Runs(ctx, api.RunFilter{Name: "render"}) {
		fmt.Println(run.ID == waits.ID(), run.State, err)
	}
	// Output:
	// sent to Ada <nil>
	// true RUNNING <nil>
}

func ExampleEngine_Why() {
	render := runnel.NewTask1("render", func(_ context.Context, scene string) (string, error) { return scene + ".png", nil }, runnel.Queue("gpu"))
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(render), runnel.Queues("default"))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	run, err := eng.Submit(ctx, render.Send("tree"))
	if err != nil {
		log.Fatal(err)
	}

	why, err := eng.Why(ctx, run.ID()+"/0")
	fmt.Println(why.Kind, why.Queue, err)
	fmt.Println(why)
	// The lists have it too, and a run sums up.
	for task, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: run.ID()}) {
		fmt.Println(task.State, task.Reason, err)
	}
	fmt.Println(eng.Why(ctx, run.ID()))
	// Output:
	// queue gpu <nil>
	// waits for a worker of queue "gpu": nobody serves it
	// PENDING waits for a worker of queue "gpu": nobody serves it <nil>
	// waits for its task runs: 0 running, 1 waiting for queue <nil>
}
