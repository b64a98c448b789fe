// Command checker reads a ledger of which bodies ran, and the database that
// they ran from, and says whether Runnel kept its promises. It imports nothing
// of Runnel's and shares no code with it.
//
//	checker -db FILE -ledger FILE open    before a program opens the database
//	checker -db FILE -ledger FILE check   when all is done
//
// The program under test adds a line to the ledger when a body begins and when
// it has ended. Checker open adds what the database holds at that moment:
//
//	open N                                          the Nth opening
//	committed TASKRUN TASK ATTEMPTS STATE CHECKSUM  so many attempts have ended
//
// Where several processes share a PostgreSQL database (-db is its DSN then), open
// may be called at any time, and who starts and kills them adds these lines:
//
//	together    first of all
//	gone PID    a process that has died, stands still, or is about to leave
//	late PID    a process that will stand still for as long as if it had died, or
//	            that is about to leave: others may run what it has begun
//
// The verdict is about these promises, see verdict.go:
//
//   - A body runs twice only if it had begun in a process that died, and its end
//     was not committed when the file was opened again. Of processes together: if
//     one of them has died meanwhile. One that was late may run what others have
//     run, and nothing of that counts.
//   - What was committed stays, and an end is committed once.
//   - Each committed end is that of a body that ended so, and each body that
//     ran belongs to a task run in the database. No two tasks share an id. A call
//     of a flow that began in a process that died may have got another task run
//     since, under the same idempotency key; of processes together, such bodies are
//     counted as run in vain.
//   - In the end all runs are COMPLETED.
//
// It is about programs whose attempts end by themselves: without timeouts,
// cancelling and answers from outside.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	db := flag.String("db", "", "database file, or the DSN of a PostgreSQL database")
	ledger := flag.String("ledger", "", "ledger file")
	flag.Parse()
	if err := command(flag.Arg(0), *db, *ledger); err != nil {
		fmt.Fprintln(os.Stderr, "checker:", err)
		os.Exit(1)
	}
}

func command(what, db, ledger string) error {
	switch {
	case db == "" || ledger == "":
		return errors.New("-db and -ledger are needed")
	case what == "open":
		return noteOpening(db, ledger)
	case what == "check":
		return check(db, ledger)
	}
	return fmt.Errorf("%q: want open or check", what)
}

// noteOpening appends to the ledger what the database holds.
func noteOpening(db, ledger string) error {
	now, err := readDatabase(db)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(ledger, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	n, err := openings(file)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	// Others may write to the file too, so only whole lines are written at a time.
	lines := fmt.Appendf(nil, "open %d\n", n+1)
	for _, t := range now.committed() {
		lines = fmt.Appendln(lines, "committed", t.id, t.task, t.attempts, t.state, t.sum)
	}
	_, err = file.Write(lines)
	return errors.Join(err, file.Close())
}

// check judges, prints the verdict, and fails if a promise was broken.
func check(db, ledger string) error {
	end, err := readDatabase(db)
	if err != nil {
		return err
	}
	file, err := os.Open(ledger)
	if err != nil {
		return err
	}
	defer file.Close()
	v := newVerdict()
	if err := v.read(file); err != nil {
		return err
	}
	v.conclude(end)
	fmt.Printf("openings=%d task_runs=%d bodies=%d ran_twice=%d in_vain=%d lost=%d doubled=%d\n",
		v.openings, len(end.tasks), v.bodies, v.twice, v.vain, v.lost, v.doubled)
	if len(v.broken) == 0 {
		fmt.Println("verdict: every promise was kept")
		return nil
	}
	for _, b := range v.broken[:min(20, len(v.broken))] {
		fmt.Println("broken:", b)
	}
	return fmt.Errorf("verdict: promises were broken %d times", len(v.broken))
}
