// Package runnel is a durable task engine: typed tasks, and pipelines of them
// that are data. What was submitted survives a crash and goes on where it was.
//
//	var (
//		fetch = runnel.NewTask1("fetch", func(ctx context.Context, url string) (string, error) { … }, runnel.Retries(3))
//		count = runnel.NewTask1("count", func(ctx context.Context, text string) (int, error) { … })
//		sum   = runnel.NewTask1("sum", func(ctx context.Context, counts []int) (int, error) { … })
//	)
//
//	eng, err := runnel.Open(ctx, "sqlite:words.db", runnel.Register(fetch, count, sum))
//	…
//	defer eng.Close(ctx)
//
//	p := runnel.Value(urls).
//		ContinueWith(runnel.Each(fetch.With().ContinueWith(count), runnel.MaxParallelism(10))).
//		ContinueWith(sum)
//
//	total, err := eng.Run(ctx, p)
//
// # Words
//
// A task is a function with a name: [Task0] to [Task3], made by [NewTask0] and
// its siblings. An orchestrator ([NewOrchestrator0]) is a task whose function
// returns a pipeline that takes its place.
//
// A [Pipeline] is steps, one after the other, each given the result of the one
// before. A step is a task, a group of pipelines at the same time ([InParallel],
// [Fan], [Each], [Settle]), or a handler of failures ([Pipeline.Exceptionally]).
// A [Step] is the open end of a pipeline, what [Pipeline.ContinueWith] takes. A
// pipeline that ends with [Pipeline.FinallyDo] is [Closed].
//
// A flow ([NewFlow0]) is a task whose function calls tasks, pipelines and other
// flows with the [Flow] that it is given, and gets a [Future] for each call.
//
// A task with a [CacheKey] takes its result from the [Cache] if another task run
// left it there.
//
// [Schedules] make runs of a pipeline by a [Timetable].
//
// A [Run] is a pipeline that was submitted to an [Engine]. Each call of a task
// in it is a task run, each execution of its body an attempt. Types that are
// plain records, such as run states, are in package api.
//
// # Guarantees
//
// A run that Submit returned is durable. No result is shown before it is
// durable. A body runs at least once: after a crash one that had not ended runs
// again, with the same [IdempotencyKey]. Everything else happens exactly once: a
// group completes once, a continuation starts once, a finally runs once. Hooks by
// outcome ([OnCompletion]) are called at most once.
//
// Arguments, results and states are kept as JSON. [None] is no value. Whether
// types fit is checked by the compiler in Go, and when it is submitted for a
// pipeline that came as JSON.
//
// Building never panics: an error of building is kept in what is built, and given
// by its Err and when it is submitted. A nil Flow or a nil future is a mistake of
// the program like any nil pointer; a body that panics by it fails with ErrPanic.
package runnel
