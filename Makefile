# `make help` explains each target.

# The Go toolchain that go.mod names. Go 1.21 or newer fetches it by itself, but
# only if GOTOOLCHAIN says so: some machines set it to "local".
export GOTOOLCHAIN := $(shell sed -n 's/^toolchain //p' go.mod)

# Nothing of ours needs C. Only the race detector does.
export CGO_ENABLED := 0

GO   ?= go
CC   ?= cc

# What is compiled does not say in which folder, so another clone finds it in the cache.
export GOFLAGS := $(strip -trimpath $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)))

# Modules of their own beside the main one.
MODULES := $(filter-out tools,$(patsubst %/go.mod,%,$(wildcard */go.mod)))

# Arguments.
SEED     ?= 1
SEEDS    ?= 1000
ENGINES  ?= 100
EVERY    ?= 1
FROM     ?= 0
FUZZTIME ?= 10s
PKG      ?= ./...
ARGS     ?=

# The race detector, if this machine can compile C.
RACE ?= $(shell printf '\043include <stdlib.h>\nint main(void){return 0;}\n' | $(CC) -x c -o /dev/null - 2>/dev/null && echo -race)

# It leaves SQLite alone, which is C translated and used by one goroutine at a time, and
# reading HTML, which only tests do. Watched, SQLite takes three times as long.
UNWATCHED := modernc.org/... golang.org/x/net/html
RACEFLAGS := $(if $(RACE),$(RACE) $(UNWATCHED:%=-gcflags=%=-race=0))

# The linter reads what was compiled for the tests, so that nothing is compiled for it
# once more. It itself is built as programs are.
LINT = $(if $(RACE),CGO_ENABLED=1 GOFLAGS='$(GOFLAGS) $(RACEFLAGS)') \
	"$$($(GO) tool -n -modfile='$(CURDIR)/tools/go.mod' golangci-lint)"

# What does less under the race detector, or nothing: what is wide, and what is one
# goroutine. It is done again without, in full. layout_test.go finds what is missing.
FULL     := IsFlatInMemory|TestConform(WidePlan|WideGroup|LargeValues)|TestHugeResult|TestCrashes|TestGarbage|TestAgainstEveryMinute|TestSeeds|TestCrowd
FULLPKGS := . ./internal/engine ./internal/httpapi ./internal/schedule ./internal/sim

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## Count the words of the Go toolchain's sources, as one durable pipeline
	$(GO) run ./examples/wordcount $(ARGS)

.PHONY: demo-crash
demo-crash: ## The same, killed half-way and continued; checks that the answer is equal
	$(GO) run ./examples/wordcount/crash $(ARGS)

.PHONY: demo-cluster
demo-cluster: ## Count words with four processes on a throw-away PostgreSQL; one is killed every 2 s, and once the database restarted
	@scripts/with-postgres $(GO) run ./examples/wordcount/cluster $(ARGS)

.PHONY: demo-server
demo-server: ## Serve some tasks in memory, and say which commands to try
	@printf '%s\n' 'In another terminal, with the address that follows as SERVER:' \
		'  go run ./examples/server --server SERVER run start report 40 --watch' \
		'  go run ./examples/server --server SERVER concurrency-limit create db 4' \
		'  go run ./examples/server --server SERVER task ls --state failed' \
		'  curl SERVER/api/v1/runs' ''
	$(GO) run ./examples/server dev -q $(ARGS)

.PHONY: torture
torture: ## Random pipelines and flows on a PostgreSQL whose processes are killed, for 10 minutes (make torture ARGS='-for 60s')
	@scripts/with-postgres $(GO) run ./examples/torture $(ARGS)

.PHONY: examples
examples: ## Run each snippet of examples/pipelines and examples/tasks, one line each
	$(GO) run ./examples/pipelines $(ARGS)
	$(GO) run ./examples/tasks $(ARGS)

.PHONY: etl
etl: ## Load a million CSV rows through a flow, check the report, and do it again from the cache
	$(GO) run ./examples/etl $(ARGS)

.PHONY: test
test: ## Run all tests with the race detector, beside a throw-away PostgreSQL (PKG=./internal/sim for one package)
	@test -n '$(RACE)' || echo 'no C compiler: testing without the race detector (apt-get install gcc libc6-dev)' >&2
	@RUNNEL_POSTGRES_FSYNC=off scripts/with-postgres $(MAKE) --no-print-directory -k -j3 test-watched test-unwatched test-modules

# The parts of test, with RUNNEL_POSTGRES set. The first takes longest, and much of it only
# waits, so they run side by side. Nothing is vetted: the linter does it, with more.
.PHONY: test-watched test-unwatched test-modules
test-watched:
	CGO_ENABLED=$(if $(RACE),1,0) $(GO) test -vet=off -timeout 20m $(RACEFLAGS) $(PKG)
test-unwatched:
	$(if $(RACE),$(if $(filter ./... $(FULLPKGS),$(PKG)),$(GO) test -vet=off -run '$(FULL)' $(filter $(if $(filter ./...,$(PKG)),%,$(PKG)),$(FULLPKGS))))
test-modules:
	@set -e; for m in $(if $(filter ./...,$(PKG)),$(MODULES)); do echo "module $$m"; (cd $$m && $(GO) test -vet=off ./...); done

.PHONY: compiled
compiled: # what tests and programs are made of, for who is about to run many of them side by side: each would compile it
	$(GO) list -export ./... >/dev/null
	$(GO) list -export -test $(FULLPKGS) >/dev/null
	$(if $(RACE),CGO_ENABLED=1 $(GO) list -export -test $(RACEFLAGS) ./... >/dev/null)

.PHONY: sim
sim: ## Run simulated crashes and faults, SEEDS from SEED on (make sim SEED=17 SEEDS=1)
	$(GO) test ./internal/sim -count=1 -timeout 30m -run TestSeeds -seeds=$(SEEDS) -seed=$(SEED)

.PHONY: crowd
crowd: ## Simulate ENGINES (100) engines on one store that crash, stand still and come back, SEEDS from SEED on (make crowd SEEDS=20)
	$(GO) test ./internal/sim -count=1 -timeout 30m -run 'TestCrowd$$' -v -crowds=$(SEEDS) -seed=$(SEED) -engines=$(ENGINES)

.PHONY: mutants
mutants: ## Plant known faults one at a time; each must be found (EVERY=3 FROM=n: each third of them)
	@scripts/with-postgres $(GO) test ./internal/sim -run TestMutants -count=1 -timeout 15m -mutants -every=$(EVERY) -from=$(FROM) -v

.PHONY: kill
kill: ## Kill a program 20 times with SIGKILL, then compare what ran with its file (make kill SEED=17)
	$(GO) test ./examples/kill -run TestKill -count=1 -v -timeout 5m -kills=20 $(if $(filter file,$(origin SEED)),,-seed=$(SEED))

.PHONY: disk
disk: ## Fill a real disk of 16 MB; fails if this user may not mount one
	@out=$$($(GO) test . ./internal/store/sqlite -run 'TestFullDisk|TestDiskFull' -count=1 -v 2>&1) || { echo "$$out"; exit 1; }; \
	echo "$$out" | grep -E '^(---|ok)'; for name in TestFullDisk TestDiskFull; do \
		echo "$$out" | grep -q -e "^--- PASS: $$name" || { echo "$$name did not run" >&2; exit 1; }; done

.PHONY: network
network: ## Cut a worker in a network namespace off from its PostgreSQL and join it again; fails if this user may not make one
	@command -v ip >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends iproute2; } >/dev/null || \
		{ echo 'the command ip is needed and could not be installed (apt-get install iproute2)' >&2; exit 1; }
	@out=$$(scripts/with-postgres $(GO) test . -run TestNetworkCut -count=1 -v -timeout 120s 2>&1) || { echo "$$out"; exit 1; }; \
	echo "$$out" | grep -E '^(---|ok| +network)'; \
		echo "$$out" | grep -q -e '^--- PASS: TestNetworkCut' || { echo "$$out" >&2; echo 'TestNetworkCut did not run' >&2; exit 1; }

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (10s) (EVERY=3 FROM=n: those of each third package)
	@GO='$(GO)' scripts/fuzz $(FUZZTIME) $(EVERY) $(FROM)

.PHONY: bench
bench: ## Measure; one JSON line per measurement (ARGS=… go to the program)
	cd bench && $(GO) run . $(ARGS)

.PHONY: bench-postgres
bench-postgres: ## Measure on a throw-away PostgreSQL, beside the rivals whose harnesses are in the folder RUNNEL_PEERS
	cd bench && ../scripts/with-postgres $(GO) run . -only '/postgres/' $(ARGS)

.PHONY: bench-growth
bench-growth: ## Count statements, lock waits and log bytes for each task on a throw-away PostgreSQL, with 1, 2, 4 and 8 processes
	cd bench && ../scripts/with-postgres $(GO) run . -growth $(ARGS)

.PHONY: bench-server
bench-server: ## Ask a server for lists over a million task runs, by 50 clients with wrk; fails below 1,000 requests/s or above 256 MB
	@command -v wrk >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk; } >/dev/null || \
		{ echo 'the command wrk is needed and could not be installed (apt-get install wrk)' >&2; exit 1; }
	@bin=$$(mktemp -d) && trap 'rm -rf "$$bin"' EXIT && $(GO) build -o "$$bin/runnel" ./cmd/runnel && cd bench && $(GO) run . -load "$$bin/runnel" $(ARGS)

.PHONY: js
js: ## Check the types of the pages' scripts (tools/js has the compiler) and run the tests of what is pure in them
	@command -v npm >/dev/null || { echo 'npm is needed (apt-get install nodejs npm)' >&2; exit 1; }
	@test tools/js/node_modules/.package-lock.json -nt tools/js/package-lock.json || npm ci --prefix tools/js --no-audit --no-fund --loglevel=error
	tools/js/node_modules/.bin/tsc -p internal/web/js
	@cd internal/web/js && node --test $(ARGS)

.PHONY: e2e
e2e: ## Test the pages in a real browser, Debian's Chromium (ARGS='-g words' for some); pictures of them are in e2e/out/pages
	@command -v npm >/dev/null || { echo 'npm is needed (apt-get install nodejs npm)' >&2; exit 1; }
	@test -n "$$CHROMIUM" || command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || \
		{ echo 'chromium is needed and could not be installed (apt-get install chromium, or CHROMIUM=path)' >&2; exit 1; }
	@test e2e/node_modules/.package-lock.json -nt e2e/package-lock.json || npm ci --prefix e2e --no-audit --no-fund --loglevel=error
	@bin=$$(mktemp -d) && trap 'rm -rf "$$bin"' EXIT && $(GO) build -o "$$bin/runnel" ./cmd/runnel && \
		cd e2e && RUNNEL="$$bin/runnel" CHROMIUM="$${CHROMIUM:-$$(command -v chromium)}" node_modules/.bin/playwright test $(ARGS)

.PHONY: lint
lint: ## Run golangci-lint (version in tools/go.mod; the first run builds it)
	$(LINT) run
	@set -e; for m in $(MODULES); do echo "module $$m"; (cd $$m && $(LINT) run); done

.PHONY: fmt
fmt: ## Format all Go files
	$(LINT) fmt

.PHONY: cover
cover: ## Show which share of the code the tests reach, per function
	scripts/with-postgres $(GO) test -coverpkg=./... -coverprofile=cover.out ./...
	$(GO) tool cover -func=cover.out
