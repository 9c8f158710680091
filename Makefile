# Every target sets up what it needs; nothing here needs to be run before anything else.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo mesh test check tools tools-all bench proto pack simulate faults clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ## npm packages, only when the lockfile says something else than what is there
	@node tools/install.js

MODE ?= embedded

demo: tools ## a commit becomes applied infrastructure, with real engines, one screen a step (MODE=mesh: over the mesh)
	@if [ "$(MODE)" = mesh ]; then node tools/tools.ts build nats-server; fi
	@MODE=$(MODE) node examples/shop/demo.ts

mesh: tools ## the whole mesh on this machine without containers, until Ctrl-C
	@node tools/tools.ts build nats-server
	@node deploy/mesh/src/main.ts

test: tools ## static checks and every suite; ends with `N passed, N failed`
	@node tools/run-tests.ts

check: install ## static checks alone: types, format and lint, import directions, contracts
	@node tools/run-tests.ts --checks

tools: install ## engines that tests and the demo need and this machine lacks
	@node tools/tools.ts build --needed

tools-all: install ## every engine that CI needs
	@node tools/tools.ts build --all

bench: tools ## figures of docs/performance.md, ours and the peers' that are present
	@node test/bench/main.ts

simulate: install ## the simulator over many seeds: make simulate SEEDS=200000
	@node test/simulation/main.ts $(SEEDS)

faults: tools ## kill, freeze and rob a real mesh: make faults KILLS=100 FREEZES=20 STORES=10
	@node tools/tools.ts build nats-server
	@KILLS=$(or $(KILLS),100) FREEZES=$(or $(FREEZES),20) STORES=$(or $(STORES),10) \
	  node --disable-warning=ExperimentalWarning --test test/mesh/*.test.ts

proto: install ## generate the code of the contracts
	@node tools/proto.ts

pack: install ## the npm package, installable without a checkout
	@npm pack

clean: ## what can be made again; keeps the engines in the user's cache folder
	rm -rf node_modules dist .cache *.tgz
