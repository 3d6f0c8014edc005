# Everything needs only Python 3.11 or newer with venv; the tests against a real
# Vault also need `vault` or Go on the PATH.  `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# The tests start the daemon hundreds of times: each would compile all of it anew.
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	>/dev/null 2>&1 && echo $$p && break; done)
ARGS ?=
WORKERS ?= 3

RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --no-input
LOCKS := $(sort $(wildcard requirements/*.txt))
COMPILE = $(RUN) -m uv pip compile --quiet --universal --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(ARGS)

# A stamp carries the checksum of what it was made from, so a fresh clone, a
# switched branch and an edited lock each install once, and nothing else does.
key = $(firstword $(shell cat $(1) | cksum))
BASE := $(VENV)/.base-$(call key,requirements/base.txt requirements/build.txt pyproject.toml)
DEV := $(VENV)/.dev-$(call key,$(LOCKS) pyproject.toml)

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

$(RUN):
	@test -n "$(PYTHON)" || { echo "Rotator needs Python 3.11 or newer with venv" \
		"(Debian: apt-get install python3-venv)." >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV)

$(BASE): | $(RUN)
	@echo "Installing what Rotator needs (requirements/base.txt)" >&2
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(RUN) -m ensurepip >/dev/null
	@$(PIP) --require-hashes --no-deps -r requirements/base.txt
	@$(PIP) --require-hashes --no-deps -r requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.base-* && touch $@

$(DEV): $(BASE)
	@echo "Installing what its tests need (requirements/dev.txt, peers.txt, deploy.txt)" >&2
	@$(PIP) --require-hashes --no-deps -r requirements/dev.txt
	@$(PIP) --require-hashes --no-deps -r requirements/peers.txt
	@$(PIP) --require-hashes --no-deps -r requirements/deploy.txt
	@rm -f $(VENV)/.dev-* && touch $@

.PHONY: demo
demo: $(BASE) ## watch a dozen keys being found, judged and rotated (ARGS="--once")
	@$(VENV)/bin/rotator demo $(ARGS)

.PHONY: test
test: $(DEV) ## run every test, on three processes (ARGS="-k saga", WORKERS=0 for one)
	@$(RUN) -m tests.servers || test "$$CI" != true
	@rm -f .coverage .coverage.*
	@$(RUN) -m pytest --cov --cov-report= --cov-fail-under=0 \
		--numprocesses $(WORKERS) --dist loadfile $(ARGS)

.PHONY: test-fast
test-fast: $(DEV) ## run the tests that need no server and no patience
	@$(RUN) -m pytest -m "not (real or slow or peers or process or model)" $(ARGS)

.PHONY: cover
cover: $(DEV) ## hold the coverage of the last `make test` to its floors
	@test -z "$$(ls .coverage.* 2>/dev/null)" || $(RUN) -m coverage combine --quiet --append
	@$(RUN) -m coverage report
	@$(RUN) -m coverage report --include 'rotator/core/*' --fail-under 100

.PHONY: lint
lint: $(DEV) ## check style, types and layers
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

.PHONY: format
format: $(DEV) ## bring the code into its form
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

.PHONY: bench
bench: $(DEV) ## measure the numbers it promises, into build/bench.json
	@$(RUN) -m tests.bench $(ARGS)

.PHONY: monitoring
monitoring: $(DEV) ## write the alerts' and dashboards' files anew from their source
	@$(RUN) -m deploy.monitoring $(ARGS)

.PHONY: pictures
pictures: $(DEV) ## draw the dashboards of a daemon at work (needs Prometheus and Chromium)
	@$(RUN) -m tests.deploy.pictures

.PHONY: server
server: $(DEV) ## find a real Vault, or build one, for the tests
	@$(RUN) -m tests.servers

.PHONY: chart
chart: $(DEV) ## write the chart's schema and table of values anew
	@$(RUN) -m deploy.chart

OUT ?= requirements

.PHONY: lock
lock: $(DEV) ## write requirements/ anew from pyproject.toml (ARGS="--upgrade")
	@$(COMPILE) pyproject.toml -o $(OUT)/base.txt
	@$(COMPILE) pyproject.toml --group dev -c $(OUT)/base.txt -o $(OUT)/dev.txt
	@$(COMPILE) --group build -c $(OUT)/dev.txt -o $(OUT)/build.txt
	@$(COMPILE) --group peers -c $(OUT)/dev.txt -o $(OUT)/peers.txt
	@$(COMPILE) --group deploy -c $(OUT)/dev.txt -c $(OUT)/peers.txt -o $(OUT)/deploy.txt
	@$(COMPILE) --group checkov -o $(OUT)/checkov.txt

.PHONY: check-stale
check-stale: $(DEV) ## say whether requirements/ still follows from pyproject.toml
	@rm -rf build/lock && mkdir -p build && cp -R requirements build/lock
	@$(MAKE) lock OUT=build/lock
	@diff -ru requirements build/lock && echo "requirements/ follows from pyproject.toml"

.PHONY: clean
clean: ## remove what was made: environment, caches, reports
	@rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
