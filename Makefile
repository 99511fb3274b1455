# The map of this repository: `make help`.
#
# Every target may be run again at any time; what is up to date is not built again.
# Tools that are not part of a Go or Node.js installation go under .tools/.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# One way to compile for tests and for the binary, so that the build cache serves both:
# without cgo (no C compiler is needed; the race detector alone has it) and without paths.
export CGO_ENABLED ?= 0
export GOFLAGS     ?= -trimpath

GO       ?= go
BUN      := scripts/bun
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
ADDR     ?= localhost:9797
DATA     ?= ./data
N        ?= 1000
FUZZTIME ?= 4s
RESULTS  ?=

# A test runs in the packages that the platform has, two at a time at most: the suite
# is made for two cores.
TALLY     = $(GO) run ./internal/tally -results "$(RESULTS)"
GO_TEST   = $(GO) test -p 2 -json
# The files that what is built depends on: those that git knows or would know, and that
# are there.
files     = $(wildcard $(shell git ls-files -co --exclude-standard $(1)))
GO_SRC   := $(filter-out %_test.go,$(call files,'*.go' '*.js' go.mod go.sum ':!js' ':!react' ':!examples' ':!e2e'))
sources   = $(filter-out %.test.ts %.test.tsx,$(call files,$(1)))
WASM_EXEC = $(shell $(GO) env GOROOT)/lib/wasm
NODE_PKGS = package.json $(wildcard js/package.json react/package.json examples/react-app/package.json e2e/package.json) $(wildcard bun.lock)

.PHONY: help
help: ## print this map
	@awk 'BEGIN { FS = ":.*## " } /^# == / { printf "\n%s\n", substr($$0, 6) } /^[a-z0-9-]+:.*## / { printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo

# == Run

.PHONY: dev
dev: build-server build-react ## durable server on localhost:9797 and example app on http://localhost:5173; Ctrl-C stops both
	@exec scripts/dev "$(ADDR)" "$(DATA)"

.PHONY: seed
seed: ## add 1,000 albums to the running server, through its API (N=…, ADDR=…)
	@$(GO) run ./examples/seed -n $(N) -url ws://$(ADDR)/ws

# == Build

.PHONY: setup
setup: .tools/node_modules.stamp ## install Bun (under .tools/) and the npm dependencies

.PHONY: build
build: build-server build-cli build-js build-react build-app ## everything: bin/ankurah-server, bin/ankurah, js/dist, react/dist, examples/react-app/dist

.PHONY: build-server
build-server: bin/ankurah-server ## the durable server as one static binary, bin/ankurah-server

.PHONY: build-cli
build-cli: bin/ankurah ## the command line that dumps, restores, copies, verifies and inspects stores, bin/ankurah

.PHONY: wasm
wasm: js/dist/ankurah.wasm ## the Go node for browsers, js/dist/ankurah.wasm

.PHONY: build-js
build-js: js/dist/mod.js ## the npm package @ankurah-go/client with the WASM in it, js/dist

.PHONY: build-react
build-react: react/dist/mod.js ## the npm package @ankurah-go/react, react/dist

.PHONY: build-app
build-app: examples/react-app/dist/index.html ## the example app, examples/react-app/dist, with compressed copies

.tools/node_modules.stamp: $(NODE_PKGS)
	@$(BUN) install && touch $@

bin/ankurah-server: $(GO_SRC)
	@mkdir -p bin
	$(GO) build -ldflags '$(LDFLAGS)' -o $@ ./server

bin/ankurah: $(GO_SRC)
	@mkdir -p bin
	$(GO) build -ldflags '$(LDFLAGS)' -o $@ ./cmd/ankurah

js/dist/mod.js js/dist/ankurah.wasm &: $(GO_SRC) $(call sources,js) | setup
	@$(BUN) run --cwd js build

react/dist/mod.js: $(call sources,react) js/dist/mod.js | setup
	@$(BUN) run --cwd react build

examples/react-app/dist/index.html: $(call sources,examples/react-app) react/dist/mod.js js/dist/ankurah.wasm | setup
	@$(BUN) run --cwd examples/react-app build
	@node scripts/compress.mjs examples/react-app/dist

# == Check

.PHONY: test
test: setup ## everything that must hold, cheap first: the targets below, then a summary
	@scripts/chromium >/dev/null
	@scripts/postgres >/dev/null
	@scripts/test

.PHONY: lint
lint: check-format check-vet check-staticcheck check-imports check-ts ## format, vet, staticcheck, import rules, types, TypeScript linter

.PHONY: check-format
check-format: ## gofmt has nothing to say
	@files=$$(gofmt -l $(call files,'*.go')); \
	if [ -n "$$files" ]; then echo "not formatted (make fmt):"; echo "$$files"; exit 1; fi

.PHONY: check-vet
check-vet: ## go vet, native and for js/wasm
	@$(GO) vet ./...
	@GOOS=js GOARCH=wasm $(GO) vet $$(scripts/js-packages)

.PHONY: check-staticcheck
check-staticcheck: .tools/staticcheck ## staticcheck, native and for js/wasm
	@.tools/staticcheck ./...
	@GOOS=js GOARCH=wasm .tools/staticcheck $$(scripts/js-packages)

.tools/staticcheck: scripts/tools/go.mod
	@$(GO) build -C scripts/tools -o ../../$@ honnef.co/go/tools/cmd/staticcheck

.PHONY: check-imports
check-imports: ## who may import whom, and what the browser binary must not reach
	@$(GO_TEST) ./internal/lint | $(TALLY) -name imports

.PHONY: check-ts
check-ts: build-react ## types and linter of all TypeScript
	@scripts/check-ts

.PHONY: test-go
test-go: ## Go tests, native
	@scripts/chromium >/dev/null
	@scripts/postgres >/dev/null
	@$(GO_TEST) $$($(GO) list ./... | grep -v /internal/lint$$) | $(TALLY) -name go

.PHONY: test-wasm
test-wasm: ## Go tests of the packages that go into the browser, under js/wasm in Node.js
	@export PATH="$$PATH:$(WASM_EXEC)" GOOS=js GOARCH=wasm; \
	$(GO_TEST) $$(scripts/js-packages pure) | GOOS= GOARCH= $(TALLY) -name js/wasm

.PHONY: test-ts
test-ts: build-react ## vitest of js/, react/ and the example app
	@scripts/vitest js react examples/react-app

.PHONY: test-race
test-race: ## Go tests of the concurrent packages under the race detector (RACE_ALL=1: the slow ones too)
	@command -v gcc >/dev/null || scripts/debian-install gcc libc6-dev
	@CGO_ENABLED=1 $(GO_TEST) -race -short $$(scripts/race-packages) | $(TALLY) -name race

.PHONY: sim
sim: ## whole systems with faults in simulated time: SEEDS (200) of each scenario, or MINUTES of each; SCENARIO=name, SEED=first
	@go test ./internal/sim -run 'TestSystems/$(SCENARIO)' -v -count=1 -timeout 0 -sim.seed=$(or $(SEED),1) \
		$(if $(MINUTES),-sim.seeds=1000000000 -sim.for=$(MINUTES)m,-sim.seeds=$(or $(SEEDS),200)) $(if $(TRACE),-sim.trace=$(TRACE))

.PHONY: sim-exact
sim-exact: ## one run of the simulation that is the same each time, on one thread: SCENARIO=name SEED=n (TRACE=lines)
	@out=$$(mktemp) && trap 'rm -f "$$out"' EXIT && GOOS=js GOARCH=wasm go test -c -o "$$out" ./internal/sim && \
	node internal/sim/deterministic.cjs "$$out" -test.v -test.run 'TestSystems/$(SCENARIO)' -sim.seed=$(or $(SEED),1) -sim.seeds=1 -sim.trace=$(or $(TRACE),0)

.PHONY: test-fuzz
test-fuzz: ## every fuzz target for FUZZTIME (4s)
	@scripts/fuzz "$(FUZZTIME)"

.PHONY: test-browser
test-browser: ## Go tests of storage/indexeddb and connectors/wsjs in Chromium
	@scripts/test-browser

.PHONY: test-e2e
test-e2e: build ## the whole thing in Chromium: server, two browsers, offline, kill -9
	@scripts/vitest e2e

# == Measure

.PHONY: bench
bench: ## Go benchmarks
	@$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-e2e
bench-e2e: build ## in Chromium: commit to DOM, arrival of 10,000 albums, longest main-thread task
	@cd e2e && CHROMIUM=$$(../scripts/chromium) node node_modules/vitest/vitest.mjs run --config vitest.bench.config.ts

.PHONY: size
size: build-app ## size of the WASM and of the page's JavaScript: raw, gzip, brotli
	@node scripts/size.mjs

.PHONY: check-size
check-size: build-react ## what a page downloads is not larger than scripts/size-ceilings.json says
	@node scripts/check-size.mjs

# == Housekeeping

.PHONY: fmt
fmt: ## format all Go
	@gofmt -w $(call files,'*.go')

.PHONY: clean
clean: ## remove what was built; data/ and .tools/ stay
	rm -rf bin js/dist react/dist examples/react-app/dist

.PHONY: distclean
distclean: clean ## remove everything that is not source, except data/
	rm -rf .tools node_modules js/node_modules react/node_modules examples/react-app/node_modules e2e/node_modules
