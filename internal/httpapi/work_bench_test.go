package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/httpapi"
)

// BenchmarkWorkerOverHTTP is tasks that do nothing, one group of them, done by a worker that
// claims, keeps its leases and finishes over loopback. Server and worker share this process.
func BenchmarkWorkerOverHTTP(b *testing.B) {
	for _, slots := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) { workOverHTTP(b, slots) })
	}
}

func workOverHTTP(b *testing.B, slots int) {
	silent := runnel.LogTo(slog.New(slog.DiscardHandler))
	eng, err := runnel.Open(b.Context(), "sqlite:"+b.TempDir()+"/work.db", silent)
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(eng.Handler())
	far := runnel.NewTask1("far", func(_ context.Context, x int) (int, error) { return x, nil })
	worker, err := runnel.Open(b.Context(), srv.URL, silent, runnel.Register(far), runnel.Concurrency(slots))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		ctx := context.WithoutCancel(b.Context())
		if err := worker.Close(ctx); err != nil {
			b.Error(err)
		}
		if err := eng.Close(ctx); err != nil {
			b.Error(err)
		}
		srv.Close()
	}()
	c, err := httpapi.NewClient(srv.URL, httpapi.ClientOptions{})
	if err != nil {
		b.Fatal(err)
	}
	group := &api.Group{}
	for i := range b.N {
		group.Children = append(group.Children, *task("far", fmt.Sprint(i)))
	}
	b.ResetTimer()
	id, _, err := c.Submit(b.Context(), httpapi.Submission{Spec: &api.Spec{Steps: []api.Step{{Group: group}}}})
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.Wait(b.Context(), id)
	if err != nil || out.State != api.Completed {
		b.Fatal(out.State, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
