package runnel_test

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/runnel-dev/runnel"
)

// An order and the run that handles it: both exist, or neither.
func ExampleEngine_SubmitTx() { //nolint:testableexamples // it needs a server
	handle := runnel.NewTask1("handle order", func(_ context.Context, order int) (string, error) {
		return fmt.Sprint("order ", order, " is handled"), nil
	})
	dsn := "postgres://shop@db.example.org/shop"
	eng, err := runnel.Open(ctx, dsn, runnel.Register(handle))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}

	var id string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO orders (id) VALUES (17)"); err != nil {
			return err
		}
		id, err = eng.SubmitTx(ctx, tx, handle.Send(17))
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	run, err := eng.Attach[string](ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Wait(ctx))
}
