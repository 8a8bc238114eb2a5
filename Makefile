.DEFAULT_GOAL := help
.PHONY: help demo dev check test test-real test-tls bench bench-scale chaos pictures format lock real-parts clean

# The demo belongs to its reader: no output of make itself, and nothing else is installed than what a server needs.
MAKEFLAGS += --no-print-directory
PYTEST_WORKERS ?= 2
TYPED = src tests $(patsubst %/,%,$(sort $(dir $(wildcard demo/*.py samples/*.py samples/*/*.py bench/*.py chaos/*.py))))

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: ## show the whole thing once, on this machine: server, API, client, refusals
	@scripts/environment.sh server
	@.venv/bin/python -m demo

dev: ## start a server for trying things out, with a demo API and a demo client
	@scripts/environment.sh server
	@.venv/bin/ostiary dev

check: ## lint, formatting, types, and who may import whom
	@scripts/environment.sh dev
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy $(TYPED)
	.venv/bin/lint-imports --no-cache

# A worker that is ended because its test hangs is not replaced: with --dist loadfile pytest-xdist would then wait for ever.
# tests/conftest.py orders the files. Every worker compiles all the tests: what one run has compiled serves the next one.
test: real-parts ## the fast tests, real PostgreSQL and Valkey included
	PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -m "not real" -n $(PYTEST_WORKERS) --dist loadfile \
		--no-loadscope-reorder --max-worker-restart 0

test-real: real-parts ## the slow tests: foreign clients, faults, real servers under load
	.venv/bin/python -m pytest -m real

test-tls: real-parts ## everything that testssl.sh knows, against our own TLS, in some minutes
	TESTSSL=whole .venv/bin/python -m pytest -m real tests/real/test_testssl.py

bench: real-parts ## measure speed and memory, as ratios in one run
	.venv/bin/python -m bench

bench-scale: real-parts ## measure requests beside 1,000,000 clients and 10,000,000 live tokens, on both databases (takes long)
	.venv/bin/python -m bench --only scale $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(TOKENS),--tokens $(TOKENS))

chaos: real-parts ## break nodes, databases and networks under load for two minutes; nothing that was answered may be lost
	.venv/bin/python -m chaos

pictures: real-parts ## take pictures of the pages, light, dark and on a phone, into docs/images
	.venv/bin/python -m scripts.pictures

real-parts: ## fetch the servers, runtimes and clients of other projects that tests and benchmarks use
	@scripts/environment.sh dev
	@.venv/bin/python -m tests.real_parts.fetch

format: ## format the code and apply the safe fixes of the linter
	@scripts/environment.sh dev
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

lock: ## pin all dependencies anew, by version and hash
	@scripts/lock.sh

clean: ## remove what make made: the environment, caches, builds and the data of `make dev`
	rm -rf .venv .ostiary build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
