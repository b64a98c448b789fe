package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/runnel-dev/runnel"
)

// catalogue is what the shop has.
var catalogue = []string{"tea", "milk", "bread", "honey", "cheese", "apples", "coffee"}

var errSoldOut = errors.New("sold out")

// Count is what the stock of an item is.
type Count struct {
	Item   string `json:"item"`
	Pieces int    `json:"pieces"`
}

// tasks are all of the shop's. What they do is small: they are there to be seen.
type tasks struct {
	// The stock, item by item.
	stockList    runnel.Task1[int, []int]
	stockCheck   runnel.Task1[int, int]
	stockMissing runnel.Task1[*runnel.Failure, int]
	stockReport  runnel.Task1[[]int, string]
	interest     runnel.Task1[int, int]

	// Orders.
	price     runnel.Task1[string, int]
	rate      runnel.Task1[string, float64]
	reserve   runnel.Task1[string, Count]
	pack      runnel.Task1[Count, string]
	apologise runnel.Task1[*runnel.Failure, string]
	receipt   runnel.Task2[string, int, string]
	total     runnel.Task1[[]int, int]
	ship      runnel.Task1[string, string]
	order     runnel.Task2[string, []string, string]
	chat      runnel.Task1[string, int]
	tidy      runnel.Task0[runnel.None]
	route     runnel.Task1[string, string]

	// What does not end by itself.
	deliver  runnel.Task1[string, string]
	weigh    runnel.Task1[string, string]
	stubborn runnel.Task0[string]
	approve  runnel.Task1[string, string]
	licensed runnel.Task1[string, string]
	slowRate runnel.Task1[string, string]
	later    runnel.Task1[string, string]

	// What goes wrong.
	pay     runnel.Task1[string, string]
	late    runnel.Task0[string]
	broken  runnel.Task0[string]
	strange runnel.Task0[string]
}

func (t *tasks) all() []runnel.AnyTask {
	return []runnel.AnyTask{
		t.stockList, t.stockCheck, t.stockMissing, t.stockReport, t.interest,
		t.price, t.rate, t.reserve, t.pack, t.apologise, t.receipt, t.total, t.ship, t.order, t.chat, t.tidy, t.route,
		t.deliver, t.weigh, t.stubborn, t.approve, t.licensed, t.slowRate, t.later,
		t.pay, t.late, t.broken, t.strange,
	}
}

func (d *Demo) declare() tasks {
	var t tasks
	t.declareStock()
	t.declareOrders()
	t.declareHolding(d)
	t.declareFailing()
	return t
}

func (t *tasks) declareStock() {
	t.stockList = runnel.NewTask1("stock_list", func(_ context.Context, n int) ([]int, error) {
		items := make([]int, n)
		for i := range items {
			items[i] = i
		}
		return items, nil
	}, runnel.Description("Numbers the items of the stock."))
	// Of a thousand items one is not found, and one is found by the second look.
	t.stockCheck = runnel.NewTask1("stock_check", func(ctx context.Context, item int) (int, error) {
		switch {
		case item%1000 == 501:
			return 0, fmt.Errorf("item %d is not on its shelf", item)
		case item%1000 == 777 && runnel.TaskRun(ctx).Attempt == 1:
			return 0, errors.New("the shelf was being cleaned")
		}
		return item % 7, nil
	}, runnel.RetryIf(func(err error) bool { return strings.Contains(err.Error(), "cleaned") }),
		runnel.Retries(1), runnel.RetryDelay(time.Millisecond), runnel.Description("Counts the pieces of an item."))
	t.stockMissing = runnel.NewTask1("stock_missing", func(ctx context.Context, why *runnel.Failure) (int, error) {
		runnel.Logger(ctx).Warn("counted as none", "why", why.Message)
		return 0, nil
	}, runnel.Description("Notes that an item is missing."))
	t.stockReport = runnel.NewTask1("stock_report", func(_ context.Context, counts []int) (string, error) {
		pieces := 0
		for _, n := range counts {
			pieces += n
		}
		return fmt.Sprintf("%d items, %d pieces", len(counts), pieces), nil
	}, runnel.Description("Adds up the stock."))
	t.interest = runnel.NewTask1("interest", func(_ context.Context, cents int) (int, error) { return cents + 1, nil },
		runnel.Description("Adds a day's interest."))
}

func (t *tasks) declareOrders() {
	t.price = runnel.NewTask1("price", func(ctx context.Context, item string) (int, error) {
		runnel.Logger(ctx).Info("looking up", "item", item)
		return 10 * len(item), nil
	}, runnel.Tags("catalogue"), runnel.Description("Looks up a price."))
	t.rate = runnel.NewTask1("rate", func(_ context.Context, currency string) (float64, error) {
		return 1 + float64(len(currency))/100, nil
	}, runnel.CacheBy(runnel.ByInputs), runnel.CacheExpiration(24*time.Hour), runnel.Description("Looks up an exchange rate, once a day."))
	t.reserve = runnel.NewTask1("reserve", func(_ context.Context, item string) (Count, error) {
		if item == "unicorn" {
			return Count{}, fmt.Errorf("%s: %w", item, errSoldOut)
		}
		return Count{item, 1}, nil
	}, runnel.Description("Puts an item aside."))
	t.pack = runnel.NewTask1("pack", func(_ context.Context, c Count) (string, error) {
		return fmt.Sprintf("%d × %s", c.Pieces, c.Item), nil
	}, runnel.Description("Packs what was put aside."))
	t.apologise = runnel.NewTask1("apologise", func(_ context.Context, why *runnel.Failure) (string, error) {
		return "we are sorry: " + why.Message, nil
	}, runnel.Description("Writes to the customer."))
	t.receipt = runnel.NewTask2("receipt", func(_ context.Context, who string, sum int) (string, error) {
		return fmt.Sprintf("%s pays %d", who, sum), nil
	}, runnel.Description("Writes a receipt."))
	t.total = runnel.NewTask1("total", func(_ context.Context, prices []int) (int, error) {
		sum := 0
		for _, p := range prices {
			sum += p
		}
		return sum, nil
	}, runnel.Description("Adds up prices."))
	t.ship = runnel.NewFlow1("ship", func(f runnel.Flow, item string) (string, error) {
		return t.pack.Bind(t.reserve.Submit(f, item)).Call(f)
	}, runnel.Description("Reserves an item and packs it."))
	t.order = runnel.NewFlow2("order", func(f runnel.Flow, who string, items []string) (string, error) {
		prices := t.price.Map(f, items)       // all at the same time
		sum := t.total.Bind(prices).Submit(f) // once they are there
		packed := t.ship.Map(f, items)        // a flow for each
		if _, err := packed.Results(f); err != nil {
			return "", err
		}
		return t.receipt.Bind(runnel.Value(who), sum).Call(f)
	}, runnel.Description("Takes an order from the first price to the receipt."))
	t.chat = runnel.NewTask1("chat", chat, runnel.Description("Writes log lines of all kinds."))
	t.tidy = runnel.NewTask0("tidy", func(context.Context) (runnel.None, error) { return runnel.None{}, nil },
		runnel.Description("Cleans up, whatever happened."))
	t.route = runnel.NewOrchestrator1("route", func(_ context.Context, item string) (runnel.Runnable[string], error) {
		return t.reserve.Send(item).ContinueWith(t.pack), nil
	}, runnel.Description("Decides how an item is sent, and returns that as a pipeline."))
}

// chat writes lines as programs write them.
func chat(ctx context.Context, who string) (int, error) {
	log := runnel.Logger(ctx)
	log.Debug("a detail", "attempt", 1)
	log.Info("good morning", "who", who, "baskets", 3)
	log.Warn("the shop closes soon", "minutes", 15)
	log.Error("the till is stuck", "error", errSoldOut)
	event, err := json.Marshal(map[string]any{"event": "sale", "items": []string{"tea", "milk"}, "total": 70, "customer": map[string]any{"name": who}})
	if err != nil {
		return 0, err
	}
	lines := []string{
		"a plain line",
		string(event),
		"\x1b[32mgreen\x1b[0m, \x1b[1;31mbold red\x1b[0m and \x1b[4munderlined\x1b[0m",
		"goroutine 1 [running]:\n\tmain.main()\n\t\t/srv/shop/main.go:17 +0x1d",
		"<b>not bold</b> & <script>alert('no')</script>",
		strings.Repeat("a very long line ", 40),
	}
	out := runnel.LogWriter(ctx)
	for _, line := range lines {
		if _, err := io.WriteString(out, line+"\n"); err != nil {
			return 0, err
		}
	}
	return len(lines), nil
}
