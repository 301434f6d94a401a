# `make setup` builds .venv from requirements.lock; every other target calls it first.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# The first of these that is 3.11 or newer makes the environment; `make setup PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Three processes, since most of the time is spent waiting: one test file runs in one of them, with a PostgreSQL of its own;
# in the order of their names, since the slowest files have the fewest tests and would come last, one by one.
TEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder

# Dozens of processes are started by the tests: each would compile our sources anew.
test: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup run test check fix lock clean chromium opendkim postfix

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

setup: $(STAMP)  ## .venv from the lock, and songda in it

$(STAMP): requirements.lock pyproject.toml Makefile
	@test -n "$(PYTHON)" || { echo "Songda needs Python 3.11 or newer: install it, or name it with PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(INSTALL_VENV)
	@echo "Installing the locked packages into $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --only-binary :all: --no-binary dkimpy,django-sendcloud2,python-alipay-sdk -r requirements.lock
	@$(PIP) install --no-deps --no-index --no-build-isolation --editable .
	@touch $@

# Debian keeps ensurepip in a package of its own.
INSTALL_VENV = { \
  version=$$($(PYTHON) -c 'import sys; print("python%d.%d" % sys.version_info[:2])'); \
  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$version-venv >/dev/null; \
  else echo "This Python cannot make environments: run 'sudo apt-get install $$version-venv', then make setup again."; exit 1; fi; }

run: setup  ## the whole stack on this machine, with the demo on sample files; stays up until Ctrl-C
	@$(BIN)/songda up --demo

test: setup chromium opendkim postfix  ## the whole suite
	$(BIN)/python -m pytest $(TEST_ARGS)

check: setup  ## linter, formatter, types and the arrows between the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

fix: setup  ## what the linter and the formatter can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock names no index and holds for every Python and platform that pyproject.toml allows.
lock:  ## remake requirements.lock from pyproject.toml
	@rm -rf build/lock && $(PYTHON) -m venv build/lock && build/lock/bin/pip --disable-pip-version-check -q install uv
	@build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --all-extras pyproject.toml -o requirements.lock
	@rm -rf build/lock

clean:  ## remove what make made; data folders stay
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis test-results

# The pages are tested in a real browser: required in CI, skipped elsewhere when there is none. Debian's shell of Chromium
# is the same engine without its windows, and takes half the time.
chromium:
	@have() { command -v "$$1" >/dev/null; }; \
	any() { have chromium-headless-shell || have chromium || have chromium-browser || have google-chrome; }; \
	get() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$$1" >/dev/null; }; \
	if have chromium-headless-shell; then :; \
	elif [ "$$(id -u)" = 0 ] && have apt-get; then \
	  echo "Installing Chromium for the browser tests …"; \
	  { apt-get update -qq && get chromium-headless-shell; } || any || get chromium; \
	elif ! any; then echo "No Chromium here: the browser tests will be skipped."; fi

# A second opinion on our signatures: required in CI, skipped elsewhere when it is missing. Only its program is run.
opendkim:
	@if [ -x /usr/sbin/opendkim ] || command -v opendkim >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing OpenDKIM for the tests of signatures …"; \
	  get() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends opendkim >/dev/null; }; \
	  get 2>/dev/null || { apt-get update -qq && get; } || echo "OpenDKIM cannot be installed: its tests will not run."; \
	else echo "No OpenDKIM here: its tests will be skipped."; fi

# A mail server whose bounces we read: required in CI, skipped elsewhere when it is missing. An instance of its own is run,
# never Debian's service. It takes the place of another mail server, so it is installed in CI only, and never instead of one.
postfix:
	@if [ -x /usr/sbin/postfix ] || command -v postfix >/dev/null; then :; \
	elif [ -n "$${CI:-}" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Postfix for the tests of bounces …"; \
	  [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; \
	    trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }; \
	  get() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove postfix >/dev/null; }; \
	  get 2>/dev/null || { apt-get update -qq && get; } || echo "Postfix cannot be installed: its tests will not run."; \
	else echo "No Postfix here: its tests will be skipped."; fi
