// Package slot decides who gets slots of named limits, and who has to wait.
//
// A body asks for some slots of each of a few limits, and gets all of them or
// none. It holds them until it gives them back; or, where it asks for a rate, they
// are used up and come back one by one, as the limit's decay says. Who waits has
// his turn in the order of asking: nobody passes an older one on any limit that
// both want. So who wants many slots, or slots of many limits, gets them too.
//
// A body that holds slots may wait for more. Asking is refused if that could
// never end: see stuck.go.
//
// It must not know clocks, stores or goroutines: a table is changed by one call at
// a time, which is given the time and says what follows from it for others, and
// when time alone will bring more.
package slot
