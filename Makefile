# Every target does its own set-up; a bare machine needs Python 3.11 or newer, bash and make. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PINS := pyproject.toml constraints.txt
DEMO := $(BIN)/python -m ebbflow.training.demo
PYTHON ?= python3.11 python3 python3.12 python3.13
PYTEST_ARGS ?=

# $(call install,<what to say>,<arguments of pip install>): one line per package, all output in a log, which is
# shown where pip fails.
define install
@echo "Installing $(1) ..."
@set -o pipefail; $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt $(2) 2>&1 \
  | tee $(VENV)/install.log \
  | awk '/^Collecting/ {printf "  %3d %s\n", ++n, $$2; fflush()} \
      /^Installing collected/ {print "      unpacking them, up to a few minutes ..."; fflush()}' \
  || { tail -n 30 $(VENV)/install.log; echo "pip failed; its whole output: $(VENV)/install.log"; exit 1; }
endef

.PHONY: help demo test test-slow test-studies test-postgres check fix bench wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.train ## a day of every preset under every rule; trains a policy for minutes, evaluates and registers it
	@$(DEMO)

test: $(VENV)/.dev ## the fast tests, on all cores
	@$(BIN)/python -m pytest -n auto --maxprocesses 8 $(PYTEST_ARGS)

test-slow: $(VENV)/.dev ## what takes minutes or is timed, and the wheel in a clean environment
	@$(BIN)/python -m pytest -m slow -o timeout=1800 $(PYTEST_ARGS)

test-studies: $(VENV)/.dev ## the long ones: a million fuzzed decisions, 200 kills, 70 days through HTTP, a soak; an hour
	@$(BIN)/python -m pytest -m study -o timeout=5400 $(PYTEST_ARGS)

test-postgres: $(VENV)/.dev ## the ledger's tests on a throw-away PostgreSQL server; skipped where there is none
	@.ci/with-postgres $(BIN)/python -m pytest tests/serving/ledger $(PYTEST_ARGS)

check: $(VENV)/.dev ## lint, format, types, who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

fix: $(VENV)/.dev ## mend what ruff can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.sim ## speed of the simulator
	@$(BIN)/ebbflow bench simulate

wheel: $(VENV)/.dev ## build the distribution into dist/ and try it in a clean environment
	@$(BIN)/python -m build --outdir dist
	@$(BIN)/python -m pytest -m slow tests/packaging/test_wheel.py $(PYTEST_ARGS)

clean: ## remove what was built and cached, but not .venv
	@rm -rf build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(VENV)/.created:
	@for python in $(PYTHON); do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Creating $(VENV) with $$($$python --version) ..."; \
	    $$python -m venv $(VENV) && touch $@ && exit 0; \
	    echo "$$python cannot create an environment; on Debian: apt install python3-venv"; exit 1; \
	  fi; \
	done; \
	echo "No Python 3.11 or newer among: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1

$(VENV)/.sim: $(VENV)/.created $(PINS)
	$(call install,ebbflow with its simulator,-e ".[sim]")
	@touch $@

$(VENV)/.torch: $(VENV)/.created constraints.txt
	$(call install,torch (large),torch)
	@touch $@

$(VENV)/.train: $(VENV)/.torch $(PINS)
	$(call install,ebbflow with its simulator and training,-e ".[train]")
	@touch $(VENV)/.sim $@

$(VENV)/.dev: $(VENV)/.torch $(PINS)
	$(call install,ebbflow with training and developer tools,-e ".[all$(comma)dev]")
	@touch $(VENV)/.sim $(VENV)/.train $@

comma := ,
