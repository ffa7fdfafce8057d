# qwen-ls. `make` alone says what there is. Everything happens in a virtual environment in this folder.
#
#   PYTHON=python3.12   the interpreter to use (default: the first one that is 3.11 or later)
#   VENV=.venv          where the virtual environment is made
#   WHEEL=dist/x.whl    test this wheel instead of the checkout (as CI does)
#   ARGS=...            arguments for the program that is run, as in: make test ARGS="-k trigger"

VENV ?= .venv
WHEEL ?=
ARGS ?=
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# What is installed: the checkout, editable, or a built wheel (a new one, too, whose version is still the same).
INSTALL = $(if $(WHEEL),$(PIP) install "$(abspath $(WHEEL))[$(1)]" && \
	$(PIP) install --force-reinstall --no-deps "$(abspath $(WHEEL))",$(PIP) install --editable ".[$(1)]")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help try test gateway test-editors lint format types bench wheel check clean

help: ## this list
	@echo "qwen-ls: Qwen's code completions as ghost text in every editor that speaks LSP"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target text; do printf '%-19s %s\n' "$$target" "$$text"; done

try: $(VENV)/.ready-try ## see it complete code: sets everything up, then opens the playground
	@echo "qwen-ls: starting; with no DASHSCOPE_API_KEY set it runs a Qwen model on this machine" >&2
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/qwen-ls try $(ARGS); else $(BIN)/qwen-ls try --plain --yes $(ARGS); fi

test: $(VENV)/.ready-dev ## run the tests
	@echo "qwen-ls: running the tests$(if $(WHEEL), on $(WHEEL))" >&2
	@$(if $(WHEEL),sh .ci/without-sources $(BIN)/python $(ARGS),$(BIN)/python -m pytest $(ARGS))

gateway: $(VENV)/.ready-dev ## test a fleet: a real LiteLLM proxy before two real engines (installs 740 MB)
	@$(MAKE) --no-print-directory test ARGS="-m gateway tests/gateway $(ARGS)"

test-editors: $(VENV)/.ready-dev ## run the tests in real editors, which are installed into your cache folder
	@echo "qwen-ls: installing the editors that are not there yet; the first time takes minutes" >&2
	@PYTHON="$(abspath $(BIN))/python" bash tests/editors/install.sh >/dev/null || [ $$? -eq 75 ]
	@QWEN_LS_SCREENS="$${QWEN_LS_SCREENS-build/screens}" $(BIN)/python -m pytest tests/editors -m editors -n 2 --dist loadfile $(ARGS)

lint: $(VENV)/.ready-dev ## ruff: rules and format
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(VENV)/.ready-dev ## let ruff put things right
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: $(VENV)/.ready-dev ## mypy, strict
	@$(BIN)/mypy

bench: $(VENV)/.ready-dev ## the benchmarks, side by side with a stock server
	@$(BIN)/python -m tests.bench $(ARGS)

wheel: $(VENV)/.ready-dev ## build dist/*.whl
	@rm -rf dist && $(BIN)/python -m build --wheel --outdir dist . >/dev/null && ls dist/*.whl

check: lint types test ## everything that CI checks, on the checkout

clean: ## remove what was built (the model stays in the user's data folder)
	@rm -rf $(VENV) .venv-wheel dist build .pytest_cache .mypy_cache .ruff_cache

# One stamp for each set of extras; a change of pyproject.toml, or of the wheel, installs again.
$(VENV)/.ready-try: pyproject.toml .ci/venv.py $(WHEEL)
	@$(call prepare,local$(comma)try,the server$(comma) the playground and the local engine)

$(VENV)/.ready-dev: pyproject.toml .ci/venv.py $(WHEEL)
	@$(call prepare,dev,everything the tests need)

comma := ,
define prepare
if [ -z "$(PYTHON)" ]; then \
	echo "qwen-ls: Python 3.11 or later is needed; install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
$(PYTHON) .ci/venv.py "$(VENV)" || exit 1; \
echo "qwen-ls: installing $(2) into $(VENV); the first time takes a minute" >&2; \
{ $(call INSTALL,$(1)); } || { echo "qwen-ls: pip failed; its words are above. Mend it and run the same again" >&2; exit 1; }; \
touch $@
endef
