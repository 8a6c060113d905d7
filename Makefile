# Two commands: `make demo` and `make test`. Everything is installed below this folder
# (.tools, .venv) and in the cache of matteralign; no other environment is touched.

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
SLICE ?= qm9-demo
# Tests run side by side; most of them keep one core busy.
TEST_WORKERS ?= 2
MARKS ?= not slow
PYTEST_ARGS ?=
BENCH_ARGS ?=

UV := .tools/bin/uv
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH VIRTUAL_ENV
# Without bytecode every process would compile its packages anew, which takes longer than their import.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint format schema lock clean

help:
	@echo "make demo   set up everything, run the slice $(SLICE), print where to look"
	@echo "make test   set up what is missing, run the tests (MARKS= adds the slow ones)"
	@echo "make bench  measure speed and memory beside other packages, write docs/benchmarks.md"
	@echo "make lint   ruff, mypy, snakemake --lint, snakefmt"

demo: .venv/.workflow
	@$(BIN)/matteralign run $(SLICE) --cores $(CORES)

test: .venv/.test
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder -m "$(MARKS)" $(PYTEST_ARGS)

bench: .venv/.test
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/python .ci/snakemake_lint.py

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

schema: .venv/.workflow
	$(BIN)/matteralign schema --write

.tools/.uv: envs/workflow/uv.txt
	@echo "setting up: package client"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, %s is %d.%d: make PYTHON=python3.12 ..." % (sys.executable, *v))'
	@$(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install -qq -r envs/workflow/uv.txt
	@touch $@

.venv/.workflow: .tools/.uv envs/workflow/requirements.txt pyproject.toml
	@echo "setting up: workflow environment"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python -r envs/workflow/requirements.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

.venv/.test: .venv/.workflow envs/workflow/test.txt
	@echo "setting up: test tools"
	@$(UV) pip install --quiet --python $(BIN)/python -r envs/workflow/test.txt
	@touch $@

# Regenerates the pins of the workflow; the environments of the models say how in their files.
lock: .tools/.uv
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate \
	  pyproject.toml -o envs/workflow/requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	  --extra test -c envs/workflow/requirements.txt pyproject.toml -o envs/workflow/test.txt

clean:
	rm -rf .tools .venv .snakemake .mypy_cache .ruff_cache .pytest_cache .hypothesis
