package pipeline

import (
	"strconv"
	"strings"

	"github.com/runnel-dev/runnel/api"
)

// place is where in a pipeline the compiler stands. It is made into text only for an
// error, and takes no memory of its own for all but deep ones.
type place struct {
	few   [4]part
	more  []part
	depth int
}

type part struct {
	name  string
	index int // -1: there is only one
}

// enter goes a level down. After an error nobody leaves it again.
func (p *place) enter(name string, index int) {
	if p.depth < len(p.few) {
		p.few[p.depth] = part{name, index}
	} else {
		p.more = append(p.more, part{name, index})
	}
	p.depth++
}

func (p *place) leave() {
	if p.depth > len(p.few) {
		p.more = p.more[:len(p.more)-1]
	}
	p.depth--
}

func (p *place) String() string {
	var text strings.Builder
	for i := range p.depth {
		at := &p.few[min(i, len(p.few)-1)]
		if i >= len(p.few) {
			at = &p.more[i-len(p.few)]
		}
		if i > 0 {
			text.WriteByte('.')
		}
		text.WriteString(at.name)
		if at.index >= 0 {
			text.WriteString("[" + strconv.Itoa(at.index) + "]")
		}
	}
	return text.String()
}

func (p *place) invalid(format string, args ...any) error {
	return api.Errorf(api.ErrInvalid, p.String(), format, args...)
}
