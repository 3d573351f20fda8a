# The two commands of a fresh machine are `make run` and `make test`: each installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/installed
DEV := $(VENV)/installed-dev
export PATH := $(CURDIR)/.cache/bin:$(PATH)

.PHONY: help run native test quick ci test-cluster test-node image check format soak bench bench-proxy bench-cluster bench-node tools lock messages \
  clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(RUN): pyproject.toml requirements.lock tools/install.sh
	@tools/install.sh "$(PYTHON)" "$(VENV)" requirements.lock
	@touch $@

$(DEV): $(RUN) requirements-dev.lock
	@tools/install.sh "$(PYTHON)" "$(VENV)" requirements-dev.lock
	@touch $@

run: $(RUN) ## Everything on this machine, with the sample Service; Ctrl-C ends it
	@$(BIN)/zerogate up -f config/samples/helloworld-go.yaml

native: $(DEV) ## Compile the hot modules: a fifth less CPU a request; needs a C compiler
	@$(BIN)/python -m tools.compile

tools: $(RUN) ## hey and a recent kubectl, where they are missing
	@tools/tools.sh

test: $(DEV) ## The whole suite, with real kubectl and hey; one test alone: make test T=tests/e2e/test_plain.py::NAME
ifdef T
	@tools/tools.sh
	@$(BIN)/pytest $(T)
else
	@$(BIN)/python -m tools.ci unit system
endif

quick: $(DEV) ## Tests without real processes, under two minutes
	@$(BIN)/pytest -q -n 4 --dist loadgroup -m "not e2e and not node and not long and not built"

ci: $(DEV) ## What must pass before a change lands: check and the whole suite
	@$(BIN)/python -m tools.ci

test-cluster: $(DEV) tools ## The tests against a real API server alone
	@$(BIN)/pytest -q -n 4 --dist loadgroup --no-loadscope-reorder -m cluster

test-node: $(DEV) tools image ## The walk-through and the no-loss suite with real containers; needs root
	@tools/node.sh
	@$(BIN)/pytest -q -m node

check: $(DEV) ## Format, lint, types and the arrows between packages
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(DEV) ## Put the code into its one form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

soak: $(DEV) tools ## Ten minutes of fuzzing, 10,000 examples for each property, bodies of 10 GiB, 100,000 requests at workers that come and go, an API server that fails for minutes; results/*.json
	@$(BIN)/python -m bench.fuzz
	@$(BIN)/python -m bench.properties
	@$(BIN)/python -m bench.streams
	@$(BIN)/python -m bench.held
	@WORKERS_REQUESTS=100000 WORKERS_RESULTS=$(CURDIR)/bench/results/workers.json $(BIN)/pytest -q tests/e2e/test_workers.py
	@FAULT_SECONDS=60 FAULT_RESULTS=$(CURDIR)/bench/results/faults.json $(BIN)/pytest -q tests/cluster/test_faults.py

bench-cluster: $(DEV) tools ## What the programs cost beside a real API server, each figure against its bar
	@$(BIN)/python -m bench.cluster

bench: $(DEV) tools ## The walk-through with hey and the real 90 seconds, beside the tutorial's figures
	@$(BIN)/python -m bench.walkthrough

bench-proxy: native tools ## What the proxy costs beside nginx and Go's ReverseProxy; needs nginx and wrk
	@$(BIN)/python -m bench.proxy

bench-node: $(DEV) tools image ## Cold starts with real containers; needs root
	@tools/node.sh
	@$(BIN)/python -m bench.node

COMPILE = $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras --no-header \
  --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
lock: $(DEV) ## Pin the newest versions of all dependencies, with hashes
	@$(BIN)/pip install --quiet pip-tools
	@$(COMPILE) --all-extras --output-file requirements-dev.lock pyproject.toml
	@$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml

IMAGE := build/image
image: $(DEV) ## The image as an archive (build/image/zerogate.tar), without a container engine
	@for part in system dependencies program; do $(BIN)/python tools/image/folders.py $$part $(IMAGE)/$$part; done
	@$(BIN)/python tools/image/archive.py $(IMAGE) \
	  zerogate:$$($(BIN)/zerogate --version | cut -d' ' -f2) $(IMAGE)/zerogate.tar

messages: $(DEV) ## The link's Python module from its .proto
	@PYTHON=$(BIN)/python tools/make_messages.sh

clean: ## Remove what was made here (not .zerogate, which holds your services)
	@rm -rf $(VENV) .cache build dist *.egg-info
