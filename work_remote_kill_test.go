package runnel_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
)

const farVariable = "RUNNEL_FAR" // the address of the server to work for

// slowFar is what the worker that is killed, or stands still, has; each begin of a body
// is known to who has the channel.
func slowFar(begun chan<- int, hold <-chan struct{}) runnel.AnyTask {
	return runnel.NewTask1("far", func(ctx context.Context, x int) (int, error) {
		begun <- x
		select {
		case <-hold:
			return 2 * x, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
}

// A worker is killed, or stands still, in the midst of its tasks: they are done
// elsewhere, and what it says when it wakes changes nothing.
func TestWorkerElsewhereDies(t *testing.T) {
	if url := os.Getenv(farVariable); url != "" {
		begun := make(chan int, 100)
		w, err := runnel.Open(t.Context(), url, runnel.Register(slowFar(begun, nil)), runnel.Concurrency(4))
		if err != nil {
			t.Fatal(err)
		}
		_ = w
		for range 4 {
			<-begun
		}
		if _, err := os.Stdout.WriteString("begun\n"); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	for name, sig := range map[string]os.Signal{"killed": syscall.SIGKILL, "stands still": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, near := server(t)
			learn := works(t, url, runnel.Register(slowFar(nil, nil)), runnel.Queues("none"))
			var all []runnel.Pipeline[int]
			for i := range 8 {
				all = append(all, runnel.Ref1[int, int]("far").Send(i))
			}
			run, err := learn.Submit(t.Context(), runnel.InParallel(all))
			if err != nil {
				t.Fatal(err)
			}
			other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestWorkerElsewhereDies$")
			other.Env = append(os.Environ(), farVariable+"="+url)
			out, err := other.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			said := make([]byte, 5)
			if _, err := out.Read(said); err != nil || string(said) != "begun" {
				t.Fatalf("%q %v", said, err)
			}
			if err := other.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			begun, hold := make(chan int, 100), make(chan struct{})
			close(hold)
			works(t, url, runnel.Register(slowFar(begun, hold)))
			got, err := run.Wait(t.Context())
			if err != nil || len(got) != 8 || got[7] != 14 {
				t.Errorf("got %v %v", got, err)
			}
			if n := len(begun); n != 8 {
				t.Errorf("%d bodies ran where it did not die, want 8: each once", n)
			}
			_ = other.Process.Signal(syscall.SIGCONT)
			_ = other.Process.Kill()
			_ = other.Wait()
			if status, err := near.Attach[[]int](t.Context(), run.ID()); err != nil {
				t.Error(status, err)
			}
		})
	}
}

// A server that begins anew knows no worker. What these had runs again, and they go on.
func TestServerBeginsAnew(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
	ctx := t.Context()
	listen := func(addr string) net.Listener {
		t.Helper()
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	begin := func(l net.Listener) (*runnel.Engine, *http.Server) {
		t.Helper()
		eng, err := runnel.Open(ctx, db, silent)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: eng.Handler(), ReadHeaderTimeout: time.Second}
		go func() { _ = srv.Serve(l) }()
		return eng, srv
	}
	l := listen("127.0.0.1:0")
	eng, srv := begin(l)
	begun, hold := make(chan int, 10), make(chan struct{})
	w := works(t, "http://"+l.Addr().String(), runnel.Register(slowFar(begun, hold)))
	run, err := w.Submit(ctx, runnel.Ref1[int, int]("far").Send(21))
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := eng.Close(ctx); err != nil {
		t.Fatal(err)
	}
	_ = srv.Close()
	eng, srv = begin(listen(l.Addr().String()))
	<-begun // once more: it was refused, not resumed
	close(hold)
	again, err := eng.Attach[int](ctx, run.ID())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Wait(ctx); err != nil || got != 42 {
		t.Errorf("got %d %v, want 42", got, err)
	}
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
	if err := eng.Close(ctx); err != nil {
		t.Error(err)
	}
	_ = srv.Close()
}
