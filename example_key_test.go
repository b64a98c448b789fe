package runnel_test

import (
	"context"
	"fmt"
	"log"

	"github.com/runnel-dev/runnel"
)

// Who got no answer submits again: there is one run for order 17.
func ExampleSubmitKey() {
	handle := runnel.NewTask1("handle order", func(_ context.Context, order int) (string, error) {
		return fmt.Sprint("order ", order, " is handled"), nil
	})
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(handle))
	if err != nil {
		log.Fatal(err)
	}
	defer end(eng)

	first, err := eng.Submit(ctx, handle.Send(17), runnel.SubmitKey("order-17"))
	if err != nil {
		log.Fatal(err)
	}
	again, err := eng.Submit(ctx, handle.Send(17), runnel.SubmitKey("order-17"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.ID() == first.ID())
	fmt.Println(again.Wait(ctx))
	// Output:
	// true
	// order 17 is handled <nil>
}
