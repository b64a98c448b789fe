package runnel_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/runnel-dev/runnel"
	"github.com/runnel-dev/runnel/api"
)

func TestConformStructure(t *testing.T) {
	onStores(t, func(t *testing.T, s *suite) {
		a, b, c := echo[string]().Send("a"), echo[string]().Send("b"), echo[string]().Send("c")
		t.Run("G01", func(t *testing.T) {
			p := runnel.InParallel2(s.val.Send("1").ContinueWith(s.val), runnel.InParallel(runnel.List(s.hi.Send("J", "D").ContinueWith(s.bye.With("x")), a))).
				ContinueWith(show[runnel.Pair[string, []string]]()).Exceptionally(s.rec).FinallyDo(s.note.Send("fin"))
			data, err := json.Marshal(p)
			do(t, err)
			says(t, string(data), `"val"`, `"val"`, `"hi"`, `"bye"`, `"echo"`, `"show"`, `"rec"`, `"note"`)
		})
		t.Run("G04", func(t *testing.T) {
			e := empty()
			then := runnel.Ref1[[]string, []string]("echo")
			p := runnel.InParallel(runnel.List(
				e, e.ContinueWith(emptied[[]string]()), runnel.InParallel(runnel.List(a)),
				e.ContinueWith(runnel.InParallel(runnel.List(b)).Ignoring[[]string]()).ContinueWith(emptied[[]string]()),
				e.ContinueWith(runnel.InParallel(runnel.List(c)).Ignoring[[]string]()), e.ContinueWith(then),
			))
			s.ledger()
			s.gives(t, [][]string{{}, {}, {"a"}, {}, {"c"}, {}}, p)
			wants(t, "called", s.ledger(), []string{`echo "a"`, `echo "b"`, `echo "c"`, `echo []`})
		})
		t.Run("G05", func(t *testing.T) {
			recovers := runnel.Ref1[*runnel.Failure, []string]("rec_list")
			s.ledger()
			s.gives(t, "", empty().Exceptionally(recovers).ContinueWith(s.join))
			s.gives(t, "", runnel.InParallel(runnel.List(empty())).ContinueWith(emptied[[][]string]()).Exceptionally(recovers).
				ContinueWith(emptied[[]string]()).Exceptionally(recovers).ContinueWith(s.join))
			s.gives(t, "", a.ContinueWith(emptied[string]()).Exceptionally(recovers).ContinueWith(s.join))
			wants(t, "called", s.ledger(), []string{`echo "a"`, "join", "join", "join"})
			s.gives(t, "m", fails[string]("m").ContinueWith(emptied[string]()).Exceptionally(recovers).ContinueWith(s.join))
		})
		t.Run("G06", func(t *testing.T) {
			s.untyped(t, `[]`, `{"children":[{"steps":[{"children":[]},{"task":"rec","on":"error"}]},{"steps":[{"children":[]},{"task":"rec","on":"error"}]}]},{"task":"echo"}`)
		})
		t.Run("G09", func(t *testing.T) {
			s.ledger()
			x := s.val.With()
			group := runnel.Fan([]runnel.Step[string, string]{x.ContinueWith(x).ContinueWith(x), x.ContinueWith(x).ContinueWith(x)})
			p := fails[string]("m").ContinueWith(group)
			s.gives(t, "E:m", p.ContinueWith(s.join).Exceptionally(s.rec))
			wants(t, "failure", s.fails(t, p).Message, "m")
			wants(t, "called", s.times("val"), 0)
		})
		values(t, s)
		tuples(t, s)
	}, runnel.Register(recList, custom, nested))
}

var recList = runnel.NewTask1("rec_list", func(_ context.Context, f *runnel.Failure) ([]string, error) { return []string{f.Message}, nil })

// G07: what is saved and read again is the same, within a process and across.
func TestConformSavedAndReadAgain(t *testing.T) {
	t.Run("G07", func(t *testing.T) {
		s := opened(t, "sqlite", dsnOf(t, "sqlite"))
		p := runnel.InParallel(runnel.List(s.yielding.Send("a"), s.yielding.Send("b")), runnel.MaxParallelism(1)).ContinueWith(s.join).
			Exceptionally(s.rec).FinallyDo(s.note.Send("fin")).WithState(map[string]int{"A": 1})
		first, err := json.Marshal(p)
		do(t, err)
		var again runnel.Closed[string]
		do(t, json.Unmarshal(first, &again))
		second, err := json.Marshal(again)
		do(t, err)
		wants(t, "form", string(second), string(first))
		run := s.submit(t, again)
		for i, answer := range []string{"x", "y"} {
			for s.count() <= i { // the body runs beside us
				status, err := run.Status(t.Context())
				if err != nil || status.State != api.Running {
					t.Fatalf("status %+v (%v)", status, err)
				}
			}
			do(t, s.eng.Close(t.Context()))
			s.eng = s.open(t)
			if run, err = s.eng.Attach[string](t.Context(), run.ID()); err != nil {
				t.Fatal(err)
			}
			for s.eng.Complete(t.Context(), s.token(t, s.count()-1), answer) != nil { // a body that had not ended began anew
			}
		}
		ends(t, "x;y", run)
		finalState(t, map[string]int{"A": 1}, run)
	})
}

// count tells how many tokens were handed out.
func (f *fixtures) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.tokens)
}

func TestConformWidePlan(t *testing.T) {
	t.Run("G08", func(t *testing.T) {
		n := 500_000
		if raceDetector {
			n /= 20
		}
		form := `{"runnel":1,"steps":[{"children":[` + strings.Repeat(`{"steps":[{"value":1}]},`, n) + `{"steps":[{"task":"nobody"}]}]}]}`
		s := opened(t, "memory", "memory:")
		p := fromJSON(t, form)
		_, err := s.run(t, p)
		matches(t, err, runnel.ErrUnknownTask)
		got, err := s.run(t, fromJSON(t, strings.Replace(form, `"task":"nobody"`, `"task":"get"`, 1)))
		do(t, err)
		wants(t, "bytes", len(got), 2*n+3)
	})
	t.Run("deep", func(t *testing.T) {
		s := opened(t, "memory", "memory:")
		deep := func(n int) string {
			return `{"runnel":1,"steps":[` + strings.Repeat(`{"children":[{"steps":[`, n) + `{"task":"get"}` + strings.Repeat(`]}]}`, n) + `]}`
		}
		got, err := s.run(t, fromJSON(t, deep(100)))
		do(t, err)
		wants(t, "result", string(got), strings.Repeat("[", 100)+"0"+strings.Repeat("]", 100))
		if !raceDetector { // what reading costs grows with the square of the depth
			s.refused(t, runnel.ErrInvalid, deep(1100), "deep")
		}
	})
}

// big numbers and a type with a form of its own.
type celsius struct{ degrees float64 }

func (c celsius) MarshalText() ([]byte, error) { return json.Marshal(c.degrees) }

func (c *celsius) UnmarshalText(text []byte) error { return json.Unmarshal(text, &c.degrees) }

type tree struct {
	Name     string                     `json:"name"`
	Children []*tree                    `json:"children,omitempty"`
	Sizes    map[string]int64           `json:"sizes,omitempty"`
	Data     []byte                     `json:"data,omitempty"`
	Pair     runnel.Pair[int, []string] `json:"pair"`
	When     time.Time                  `json:"when,omitzero"`
	Big      *big.Int                   `json:"big,omitempty"`
}

var (
	custom = runnel.NewTask1("custom", func(_ context.Context, c celsius) (celsius, error) { return celsius{c.degrees + 1}, nil })
	nested = runnel.NewTask1("nested", func(_ context.Context, x tree) (tree, error) { return x, nil })
)

func values(t *testing.T, s *suite) {
	t.Run("Z08", func(t *testing.T) {
		s.gives(t, celsius{38.5}, custom.Send(celsius{37.5}))
		p := runnel.Value(func() {})
		isLike(t, p.Err(), runnel.ErrEncoding, "func()")
		_, err := s.run(t, p)
		matches(t, err, runnel.ErrEncoding)
		_, err = json.Marshal(p)
		matches(t, err, runnel.ErrEncoding)
		_, err = s.run(t, s.sum.Send(1, 2).WithState(make(chan int)))
		matches(t, err, runnel.ErrEncoding)
	})
	t.Run("Z09", func(t *testing.T) {
		s.gives(t, "a,b,c,d", runnel.Value(json.RawMessage(`{"A":"a","B":"b"}`)).ContinueWith(runnel.Ref1[json.RawMessage, string]("four")))
		s.gives(t, `{"A":"a"}`, runnel.Value(json.RawMessage(`{"A":"a"}`)).ContinueWith(show[json.RawMessage]()))
	})
	t.Run("Z10", func(t *testing.T) {
		x := tree{
			Name: "root <&> ", Children: []*tree{{Name: "ü\u2028\"\\"}}, Sizes: map[string]int64{"max": 1<<63 - 1, "min": -1 << 63}, Data: []byte{0, 255},
			Pair: runnel.Pair[int, []string]{First: -1, Second: []string{"", "x"}}, When: time.Unix(1e9, 1).UTC(), Big: new(big.Int).Lsh(big.NewInt(1), 100),
		}
		got, err := s.run(t, nested.Send(x).ContinueWith(nested))
		do(t, err)
		wants(t, "tree", got, x)
		s.gives(t, map[string][]int{"a": {1}, "b": {}}, echo[map[string][]int]().Send(map[string][]int{"a": {1}, "b": {}}))
		s.gives(t, 1.5e300, echo[float64]().Send(1.5e300))
		s.gives(t, uint64(1<<64-1), echo[uint64]().Send(1<<64-1))
		s.untyped(t, `{"b":1,"a":[null,true,"é"]}`, `{"task":"echo","args":[{"b":1,"a":[null,true,"é"]}]}`) // as it was sent
	})
	t.Run("Z11", func(t *testing.T) {
		p := s.hi.WithOptions(runnel.Retries(3), runnel.RetryDelay(time.Second, time.Minute), runnel.RetryJitter(0.5), runnel.RetryFor(time.Hour),
			runnel.RetryOn("x"), runnel.Timeout(time.Hour), runnel.HeartbeatTimeout(time.Minute), runnel.TaskID("id"), runnel.Name("shown")).Send("J", "D").
			ContinueWith(runnel.Fan([]runnel.Step[string, string]{s.bye.With("x").Wait()}, runnel.MaxParallelism(2), runnel.NumStages(2), runnel.FailFast())).
			Wait().Inline().WithState(1)
		data, err := json.Marshal(p)
		do(t, err)
		var again runnel.Pipeline[[]string]
		do(t, json.Unmarshal(data, &again))
		back, err := json.Marshal(again)
		do(t, err)
		wants(t, "form", string(back), string(data))
		if !reflect.DeepEqual(mustSpec(t, data), mustSpec(t, back)) {
			t.Error("specs differ")
		}
	})
}

func mustSpec(t *testing.T, data []byte) *api.Spec {
	spec, err := api.ParseSpec(data)
	do(t, err)
	return spec
}

func tuples(t *testing.T, s *suite) {
	t.Run("Z01", func(t *testing.T) {
		list := runnel.List(fails[string]("b"), s.hi.Send("J", "D"), fails[string]("a"))
		f := s.fails(t, runnel.InParallel(list))
		wants(t, "text", f.Error(), "2 of 3 failed: b | a")
		wants(t, "a group has no task", f.Task, "")
		outer := s.fails(t, runnel.InParallel(runnel.List(runnel.InParallel(list))))
		wants(t, "nested", outer.Causes[0].Causes[1].Message, "a")
		outcomes, err := s.run(t, runnel.Settle(list))
		do(t, err)
		_, err = outcomes[0].Get()
		isLike(t, err, outcomes[0].Failure, "b")
	})
	t.Run("Z02", func(t *testing.T) {
		s.gives(t, "x", runnel.Value("x").ContinueWith(echo[string]()))
		s.gives(t, pair{First: "a", Second: "b"}, s.twoOf.Send("a", "b").ContinueWith(s.twoOf.Spread()))
	})
	t.Run("Z03", func(t *testing.T) {
		s.gives(t, "a,b,c", runnel.Value(pair{First: "a", Second: "b"}).ContinueWith(s.three.SpreadWith("c")))
		s.gives(t, `["a","b"] 1`, runnel.Value([]string{"a", "b"}).ContinueWith(runnel.Ref2[[]string, int, string]("both").With(1)))
		s.gives(t, `{"k":1} 1`, runnel.Value(map[string]int{"k": 1}).ContinueWith(runnel.Ref2[map[string]int, int, string]("both").With(1)))
		s.gives(t, `null 1`, runnel.Value[any](nil).ContinueWith(runnel.Ref2[any, int, string]("both").With(1)))
		s.gives(t, "a;b", runnel.Value([]string{"a", "b"}).ContinueWith(s.join))
	})
	t.Run("Z04", func(t *testing.T) {
		s.gives(t, 0, s.get.Send())
		s.gives(t, 0, s.note.Send("x").ContinueWith(s.get))
		s.gives(t, "V:x", s.val.Send("x"))
		s.gives(t, "a,b,c", s.three.Send("a", "b", "c"))
	})
	t.Run("Z05", func(t *testing.T) {
		nestedList := runnel.Value([][]string{{"a", "b"}, {"c"}}).ContinueWith(runnel.Each(s.join))
		s.gives(t, []string{"a;b", "c"}, nestedList)
		s.refused(t, runnel.ErrInvalid, `{"runnel":1,"steps":[{"each":{"steps":[{"task":"val"}]}}]}`, "each wants an array, got none")
		f := s.fails(t, runnel.Value(json.RawMessage(`"text"`)).ContinueWith(runnel.Ref1[json.RawMessage, []string]("echo")).ContinueWith(runnel.Each(s.val)))
		isLike(t, f, runnel.ErrEncoding, "array")
	})
	t.Run("Z06", func(t *testing.T) {
		s.refused(t, runnel.ErrUnknownTask, `{"runnel":1,"steps":[{"task":"__builtins.flatten"}]}`, `"__builtins.flatten"`)
		s.refused(t, runnel.ErrUnknownTask, `{"runnel":1,"steps":[{"task":""}]}`, `steps[0]`)
	})
}

// Z14: what is large is stored once, and a group of it needs no more memory.
func TestConformLargeValues(t *testing.T) {
	t.Run("Z14", func(t *testing.T) {
		length := 1 << 20
		if raceDetector {
			length /= 8
		}
		text := strings.Repeat("x", length)
		bigger := runnel.NewTask1("bigger", func(_ context.Context, x string) (string, error) { return x + "!", nil })
		size := runnel.NewTask1("size_of", func(_ context.Context, x string) (int, error) { return len(x), nil })
		onStores(t, func(t *testing.T, s *suite) {
			got, err := s.run(t, runnel.InParallel(runnel.List(bigger.Send(text), bigger.Send(text), bigger.Send(text))))
			do(t, err)
			wants(t, "sizes", []int{len(got), len(got[0]), len(got[2])}, []int{3, length + 1, length + 1})
			five := []runnel.Step[string, string]{bigger.With(), bigger.With(), bigger.With(), bigger.With(), bigger.With()}
			got, err = s.run(t, runnel.Fan(five, runnel.MaxParallelism(1)).WithInitial(text))
			do(t, err)
			wants(t, "sizes", []int{len(got), len(got[4])}, []int{5, length + 1})
			// A shared input is kept once, however many take it.
			many := make([]runnel.Step[string, int], 50)
			for i := range many {
				many[i] = size.With()
			}
			before := s.fileSize(t)
			sizes, err := s.run(t, runnel.Fan(many).WithInitial(text))
			do(t, err)
			wants(t, "size", sizes[49], length)
			sizes, err = s.run(t, bigger.Send(text).ContinueWith(runnel.Fan(many)))
			do(t, err)
			wants(t, "size", sizes[49], length+1)
			if grown := s.fileSize(t) - before; grown > int64(24*length) {
				t.Errorf("the file grew by %d KiB", grown>>10)
			}
		}, runnel.Register(bigger, size))
	})
}

// fileSize is that of the database and its log.
func (s *suite) fileSize(t *testing.T) (size int64) {
	t.Helper()
	path, isFile := strings.CutPrefix(s.dsn, "sqlite:")
	if !isFile {
		return 0
	}
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		do(t, err)
		size += info.Size()
	}
	return size
}
