# Everything runs in environments below .venv, made on first use; nothing else is installed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BASE := .venv/base
DEV := .venv/dev
EXPORT := .venv/export-env
# Beside torch they bring jax and transformers: never in the base, the extras or CI.
CONVERTERS := litert-torch==0.10.0 ai-edge-quantizer==0.10.0
# What an install is made of: when it changes, install again.
INSTALLED := pyproject.toml hatch_build.py $(wildcard firmware_bridge/c/*.[ch])
PARTS := training export runtime firmware_bridge benchmarks
JOBS ?= 2
# One thread per process: the codec's own default, and what the tests' timing assumes.
export OMP_NUM_THREADS := 1
# Field networks drop connections.
export PIP_RETRIES ?= 10

.PHONY: bench-check bench-pages bench-records emulated-boards export-env help demo setup test test-slow test-interop lint lint-types format cli-surface check clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(BASE)/.done  ## Send speech over a simulated 9600 baud radio, live (no torch needed)
	$(BASE)/bin/edge-codec demo --ber 1e-5 --out out/demo

setup: $(DEV)/.done  ## Install everything a developer needs into .venv/dev

test: $(DEV)/.done  ## Run the tests
	$(DEV)/bin/python -m pytest

test-slow: $(DEV)/.done  ## Run the tests that take minutes (they install the wheel by itself)
	$(DEV)/bin/python -m pytest -m slow

test-interop: $(DEV)/.done  ## Run against other programs: libcodec2, minimodem, Direwolf, tshark, GStreamer
	$(DEV)/bin/python -m pytest -m interop tests/interop

lint: $(DEV)/.done  ## Style, types, import rules, spelling
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(MAKE) lint-types
	$(DEV)/bin/lint-imports
	$(DEV)/bin/codespell

lint-types: $(DEV)/.done
	$(DEV)/bin/mypy $(PARTS:%=-p edge_codec.%)

format: $(DEV)/.done  ## Let ruff mend what it can
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

cli-surface: $(DEV)/.done  ## Write down commands and flags anew, after a change that is meant
	PYTHONPATH=tests $(DEV)/bin/python -m support.cli_surface

bench-check: $(DEV)/.done  ## Did the codec become slower? Ratios against the committed record
	$(DEV)/bin/python -m edge_codec.benchmarks.regression $(if $(LYRA),--lyra-models $(LYRA))

bench-pages: $(DEV)/.done  ## Write the tables of README and docs anew from the committed records
	$(DEV)/bin/python -m edge_codec.benchmarks.pages

bench-records: $(DEV)/.done  ## Measure everything anew: CLIPS=speech/ MUSIC=music/ ENVIRONMENT=sounds/ LYRA=lyra/ ONLY="ram files"
	$(DEV)/bin/python -m edge_codec.benchmarks.all_records $(if $(ONLY),--only $(ONLY)) $(if $(CLIPS),--clips $(CLIPS)) \
	  $(if $(MUSIC),--music $(MUSIC)) $(if $(ENVIRONMENT),--environment $(ENVIRONMENT)) \
	  $(if $(LYRA),--lyra-models $(LYRA))

emulated-boards: $(DEV)/.done  ## Count instructions on emulated boards (qemu-user, gcc, mmdebstrap)
	for model in voice-m voice-s; do $(DEV)/bin/python -m edge_codec.benchmarks.emulation \
	  models/$$model --report benchmarks/reports || exit 1; done

check: lint test test-slow  ## All of the above: what a change must pass

clean:  ## Remove environments, caches and outputs
	rm -rf .venv out dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

export-env: $(EXPORT)/.done  ## Install what makes TFLite graphs into .venv/export-env (2.5 GB)

$(EXPORT)/.done: $(INSTALLED)
	$(PYTHON) -m venv $(EXPORT)
	$(EXPORT)/bin/pip install --quiet --upgrade "pip>=25.1"
	$(EXPORT)/bin/pip install --quiet --editable '.[train,export,tflite]' $(CONVERTERS)
	touch $@

$(BASE)/.done: $(INSTALLED)
	$(PYTHON) -m venv $(BASE)
	$(BASE)/bin/pip install --quiet --editable .
	touch $@

$(DEV)/.done: $(INSTALLED)
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --upgrade "pip>=25.1"
	$(DEV)/bin/pip install --quiet --editable '.[train,export,bench,crypto,stems]' --group dev
	touch $@
