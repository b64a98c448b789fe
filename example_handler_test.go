package runnel_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/runnel-dev/runnel"
)

// An engine behind HTTP, and one that is opened by its address.
func ExampleEngine_Handler() {
	ctx := context.Background()
	greet := runnel.NewTask1("greet", func(_ context.Context, name string) (string, error) { return "Hello, " + name, nil })
	eng, err := runnel.Open(ctx, "memory:", runnel.Register(greet))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Close(ctx)

	mux := http.NewServeMux()
	mux.Handle("/runnel/", http.StripPrefix("/runnel", eng.Handler(runnel.RequireToken("sesame"))))
	server := httptest.NewServer(mux)
	defer server.Close()

	far, err := runnel.Open(ctx, server.URL+"/runnel", runnel.BearerToken("sesame"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer far.Close(ctx)
	got, err := far.Run(ctx, greet.Send("world"))
	fmt.Println(got, err)
	// Output: Hello, world <nil>
}

// A handler that shows everything and changes nothing.
func ExampleReadOnly() {
	ctx := context.Background()
	eng, err := runnel.Open(ctx, "memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Close(ctx)
	server := httptest.NewServer(eng.Handler(runnel.ReadOnly()))
	defer server.Close()
	resp, err := http.Post(server.URL+"/api/v1/operations", "application/json", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 403 Forbidden
}

// Pages for people, or the REST API alone: who asks for HTML sees the difference.
func ExampleNoPages() {
	ctx := context.Background()
	eng, err := runnel.Open(ctx, "memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer eng.Close(ctx)
	for _, options := range [][]runnel.HandlerOption{nil, {runnel.NoPages()}} {
		asked := httptest.NewRequest(http.MethodGet, "/runs", nil)
		asked.Header.Set("Accept", "text/html")
		answer := httptest.NewRecorder()
		eng.Handler(options...).ServeHTTP(answer, asked)
		fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/html; charset=utf-8
	// 404 application/problem+json
}
