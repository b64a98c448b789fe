package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

// A task is a function with a name; a flow calls it.
var (
	myTask = runnel.NewTask0("my_task", func(context.Context) (string, error) { return "Hello, I'm a task", nil })
	myFlow = runnel.NewFlow0("my_flow", func(f runnel.Flow) (string, error) { return myTask.Call(f) })
)

// It may be described, and labelled.
var (
	helloTask = runnel.NewTask0("hello-task", func(ctx context.Context) ([]string, error) { return runnel.TaskRun(ctx).Tags, nil },
		runnel.Description("This task says hello."), runnel.Tags("test"))
	plainTask = runnel.NewTask0("plain-task", func(ctx context.Context) ([]string, error) { return runnel.TaskRun(ctx).Tags, nil })
	withTags  = runnel.NewFlow0("with_tags", func(f runnel.Flow) ([]string, error) { return plainTask.Call(f.WithTags("test")) })
	bothTags  = runnel.NewFlow0("both_tags", func(f runnel.Flow) ([]string, error) { return helloTask.Call(f.WithTags("night", "test")) })
)

// This task tries up to 3 times more, waiting between.
var getPage = runnel.NewTask1("get_page", func(ctx context.Context, url string) (string, error) {
	if runnel.TaskRun(ctx).Attempt < 3 {
		return "", errors.New("503")
	}
	return "contents of " + url, nil
}, runnel.Retries(3), runnel.RetryDelay(time.Millisecond))

var basics = []runnel.AnyTask{myTask, myFlow, helloTask, plainTask, withTags, bothTags, getPage}

var basicSnippets = []snippet{
	show("a task in a flow", myFlow.Send()),
	{"name and description", described},
	show("tags of the task", helloTask.Send()),
	show("tags of the caller", withTags.Send()),
	show("tags of both", bothTags.Send()),
	{"retries", retried},
}

func described(_ context.Context, eng *runnel.Engine) (any, error) {
	for _, t := range eng.Tasks() {
		if t.Name == "hello-task" {
			return fmt.Sprintf("%s, %s Key of %d letters", t.Name, t.Description, len(t.Key)), nil
		}
	}
	return nil, errors.New("not registered")
}

// retried shows that a retry is a state in the history of the one task run.
func retried(ctx context.Context, eng *runnel.Engine) (any, error) {
	run, err := eng.Submit(ctx, getPage.Send("example.com"))
	if err != nil {
		return nil, err
	}
	page, err := run.Wait(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	n := 0
	for t, err := range eng.TaskRuns(ctx, api.TaskRunFilter{Run: run.ID()}) {
		if err != nil {
			return nil, err
		}
		n++
		for _, line := range t.History {
			names = append(names, line.Name)
		}
	}
	return fmt.Sprintf("%s, %d task run: %s", page, n, strings.Join(names, " ")), nil
}
