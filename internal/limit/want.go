package limit

// Want is a tag that a claim waits for.
type Want struct {
	Tag     string
	Limit   int
	Holders []*Claim // not to be changed
	Place   int      // in the line, from 1; 0: its run is parked
	Waiting int      // how long the line is
	Held    int64    // how long a slot is held, see [Table.Held]
}

// Wants gives the tags of c, which waits, of which no slot is free, or is an
// older one's.
func (t *Table) Wants(c *Claim) (wants []Want) {
	for _, tag := range c.Tags {
		l := t.limits[tag]
		if l == nil || len(l.active) < l.limit && (len(l.queue) == 0 || l.queue[0].ticket >= c.ticket) {
			continue
		}
		w := Want{Tag: tag, Limit: l.limit, Holders: l.active, Waiting: len(l.queue), Held: l.held.median()}
		if i, found := l.queue.find(c); found {
			w.Place = i + 1
		}
		wants = append(wants, w)
	}
	return wants
}
