package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runnel-dev/runnel/api"
	"github.com/runnel-dev/runnel/internal/store/memory"
)

// mob is processes that come, go and stand still, and runs whose tasks want turns
// and slots of all kinds.
type mob struct {
	t     *testing.T
	r     *rand.Rand
	store *memory.Store
	o     *together
	live  []*peer
	last  int
	ended int // processes that went, or stood still
	runs  []string
	want  []string
	ids   map[string]int // runs under each task id
}

func (c *mob) join() {
	c.last++
	p := join(c.t, c.store, fmt.Sprint("process ", c.last), kept)
	p.watch.Store(c.o)
	p.takes.Store(int64(200 * time.Millisecond))
	c.live = append(c.live, p)
}

func (c *mob) some() *peer { return c.live[c.r.IntN(len(c.live))] }

// submit makes a run of one task, or of some at a time.
func (c *mob) submit() {
	task := []string{"dbl", "fresh", "kept", "limited"}[c.r.IntN(4)]
	n := c.r.IntN(2)
	var options []string
	width, wide := 1, c.r.IntN(4) == 0
	if wide {
		width = 3
	}
	if c.r.IntN(2) == 0 {
		id := string(rune('x' + c.r.IntN(2)))
		options = append(options, `"task_id":"`+id+`"`)
		if task != "kept" { // whose bodies are fewer
			c.ids[id] += width
		}
	}
	if c.r.IntN(3) == 0 {
		options = append(options, `"tags":["a"]`)
	}
	call := fmt.Sprintf(`"task":%q,"options":{%s}`, task, strings.Join(options, ","))
	steps, want := fmt.Sprintf(`[{%s,"args":[%d]}]`, call, n), 2*n
	if wide {
		steps, want = fmt.Sprintf(`[{"value":[%d,%d,%d]},{"each":{"steps":[{%s}]}},{"task":"sum"}]`, n, n, n, call), 6*n
	}
	h := c.some().submit(steps)
	c.runs, c.want = append(c.runs, h.ID()), append(c.want, strconv.Itoa(want))
}

// upset has a process go, or stand still, and a run stand still and go on.
func (c *mob) upset() {
	i := c.r.IntN(len(c.live))
	switch p := c.live[i]; c.r.IntN(8) {
	case 0:
		c.ended++
		c.live = slices.Delete(c.live, i, i+1)
		if len(c.live) == 0 {
			c.join()
		}
		p.stop()
	case 1:
		if len(c.live) < 3 {
			return
		}
		c.ended++
		c.live = slices.Delete(c.live, i, i+1) // it comes back, but nobody submits there
		p.stand()
	case 2, 3:
		if len(c.live) < 4 {
			c.join()
		}
	default:
		if len(c.runs) == 0 {
			return
		}
		run := c.runs[c.r.IntN(len(c.runs))]
		if c.some().Engine().Pause(c.t.Context(), run) != nil { // it has ended
			return
		}
		<-time.After(time.Duration(c.r.IntN(800)) * time.Millisecond)
		if err := c.some().Engine().Resume(c.t.Context(), run); err != nil {
			c.t.Errorf("Resume: %v", err)
		}
	}
}

func (c *mob) check(limit int) {
	for name, most := range c.o.mostOf {
		allowed := map[string]int{"limit g": limit, "tag a": limit}[name]
		if most > max(allowed, 1) {
			c.t.Errorf("%d bodies had %s at a time", most, name)
		}
		if strings.HasPrefix(name, "key kept") && c.o.allOf[name] > 1+c.ended {
			c.t.Errorf("%d bodies ran for %s, and %d processes ended", c.o.allOf[name], name, c.ended)
		}
	}
}

// Whatever becomes of the processes: no key, task id or limit has more bodies than it
// may have, a body runs once for a value unless its process ends, the state under a
// task id has missed nobody, and nothing waits for ever.
func TestTurnsAndSlotsAtRandom(t *testing.T) {
	const limit = 2
	for seed := range uint64(24) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &mob{t: t, r: rand.New(rand.NewPCG(seed, 19)), store: memory.Open(), o: watch(), ids: make(map[string]int)}
				for range 3 {
					c.join()
				}
				<-time.After(3 * time.Second)
				for _, err := range []error{
					c.some().Engine().SetLimit(t.Context(), "a", limit),
					c.some().Engine().SetGlobalLimit(t.Context(), api.GlobalLimit{Name: "g", Limit: limit}),
				} {
					if err != nil {
						t.Fatal(err)
					}
				}
				for range 60 {
					c.submit()
					<-time.After(time.Duration(c.r.IntN(300)) * time.Millisecond)
					if c.r.IntN(4) == 0 {
						c.upset()
					}
				}
				<-time.After(time.Minute) // who stood still is back
				seen := c.live[0]
				for i, id := range c.runs {
					seen.waits(seen.handle(id), c.want[i])
				}
				c.check(limit)
				for id, runs := range c.ids {
					value, err := c.store.Keyed(t.Context(), id)
					n, _ := strconv.Atoi(string(value))
					if err != nil || n < runs || n > runs+c.o.allOf["key kept0"]+c.o.allOf["key kept1"] {
						t.Errorf("the state under task id %s says that %d bodies ran, of %d (%v)", id, n, runs, err)
					}
				}
			})
		})
	}
}
