# make demo    the whole job on the embedded default: real video files, puzzles, RL, before and after, one page
# make test    the tests
# make check   format, lint, types, layers, docs
# make soak    the tests that need repeating, repeated
# make oldest  the model tests on the oldest transformers that pyproject.toml allows, in an environment of its own
# make venv    only the environment; VENV=folder puts it elsewhere

VENV ?= .venv
WORKERS ?= auto
PYTHON = $(VENV)/bin/python
STAMP = $(VENV)/.installed
OLDEST = .venv-oldest
SOAK ?= 20

.PHONY: demo test check soak oldest venv format

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/make_venv.sh
	@sh scripts/make_venv.sh $(VENV) train,dev constraints.txt
	@touch $@

demo: $(STAMP)
	@$(VENV)/bin/reelgym demo

test: $(STAMP)
	$(PYTHON) -m pytest -q -n $(WORKERS) --maxprocesses 8 --dist worksteal

check: $(STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(PYTHON) scripts/check_docs.py

format: $(STAMP)
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

soak: $(STAMP)
	@for turn in $$(seq $(SOAK)); do \
	    echo "soak $$turn of $(SOAK)"; \
	    REELGYM_SOAK=$$turn $(PYTHON) -m pytest -q -n $(WORKERS) --maxprocesses 8 -m soak || exit 1; \
	done

oldest: $(STAMP)
	$(PYTHON) scripts/oldest.py > .oldest-constraints.txt
	sh scripts/make_venv.sh $(OLDEST) train,dev .oldest-constraints.txt
	$(OLDEST)/bin/python -m pytest -q -n $(WORKERS) --maxprocesses 8 tests/models tests/rollout tests/training
