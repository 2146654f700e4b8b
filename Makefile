# nbgate. On a fresh machine with Python 3.11 or newer and make: `make run` starts the webhook, `make test` proves it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help run venv test lint packages tools covered unit cluster coverage manifests bench fuzz mutants lock image clean

help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv ## Start the webhook on https://127.0.0.1:8443 with its embedded defaults
	$(BIN)/nbgate serve --listen 127.0.0.1:8443

venv: $(VENV)/.runtime ## Set up .venv with the locked dependencies and .venv/bin/nbgate

$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nbgate needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@echo "Setting up $(VENV) (once, about half a minute) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "Installing the test tools …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

test: $(VENV)/.dev ## Set everything up and pass everything
	@$(MAKE) --no-print-directory --output-sync=target -j2 lint covered
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory cluster

lint: $(VENV)/.dev ## Formatter, ruff, mypy --strict, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

packages: ## Install the Debian packages that the tests run, as root; elsewhere say what is missing
	@tests/install-packages || [ $$? -eq 3 ]

tools: packages ## Build kustomize and helm for the tests, once; elsewhere say what is missing
	@tests/install-tools || [ $$? -eq 3 ]

covered: $(VENV)/.dev ## The tests of core and certs, which take every branch of both
	@rm -rf build/coverage/own
	$(BIN)/coverage run --data-file=build/coverage/own/data -m pytest -q tests/core tests/certs
	@$(BIN)/coverage combine -q --data-file=build/coverage/own/data
	$(BIN)/coverage report --data-file=build/coverage/own/data --include='webhook/core/*,certs/*' --fail-under=100

unit: $(VENV)/.dev tools ## All other unit, property and HTTP tests; images, registries and containers where podman is there
	@tests/side-by-side $(BIN)/python "not cluster and not containers and not own" "not cluster and containers"

cluster: $(VENV)/.dev tools ## Tests against a real Kubernetes with a node (built once, about 8 minutes, where there is none)
	@tests/side-by-side $(BIN)/python "cluster and node" "cluster and not node"

coverage: $(VENV)/.dev tools ## Measure all tests: at least 95 % of all lines and branches (half an hour)
	@rm -rf build/coverage
	@COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml $(MAKE) --no-print-directory -k covered unit cluster; code=$$?; \
	 $(BIN)/coverage combine -q build/coverage build/coverage/own/data; $(BIN)/coverage report --fail-under=95 && exit $$code

manifests: $(VENV)/.dev ## Make the files of deploy/ that are made: definitions, dashboard, and the chart's copies
	$(BIN)/python -m deploy.generator

bench: $(VENV)/.dev ## Measure decisions, loading, the server, its memory, pods through an API server and the scanner, each beside a floor
	$(BIN)/python -m bench

fuzz: $(VENV)/.dev requirements/fuzz.txt ## Fuzz one TARGET for some SECONDS, guided by coverage (docs/fuzzing.md)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	$(BIN)/python -m tests.fuzz $(TARGET) --seconds $(or $(SECONDS),60)

mutants: $(VENV)/.dev requirements/mutation.txt ## Change the core one little thing at a time: a test must notice (docs/mutation-testing.md)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/mutation.txt
	nice -n 10 $(BIN)/python -m tests.mutation $(ARGS)

lock: $(VENV)/.dev ## Lock the dependencies anew, with hashes and without addresses
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	cd requirements && ./lock

image: ## Build the container image (BASE=… for another base, BUILDER=buildah for another tool)
	$(or $(BUILDER),docker) build -t nbgate:dev $(if $(BASE),--build-arg BASE=$(BASE)) .

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
