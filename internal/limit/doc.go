// Package limit decides who gets a slot of a limited tag, and who has to wait.
//
// A task run asks for a slot of each of its tags that has a limit, and gets all
// of them at once or none. Who waits has a ticket, in the order of asking, and
// nobody passes an older one on any tag that both need: so who needs many tags
// gets them too, since nothing that he waits for is given to others meanwhile.
//
// It must not know clocks, stores or goroutines: a table is changed by one call
// at a time, and each call says what follows from it for others. A clock may be lent to
// it to measure how long slots are held and waited for, which decides nothing.
package limit
