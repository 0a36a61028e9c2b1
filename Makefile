# Two commands do everything on a machine with Python >= 3.11 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# One thread: the networks of the demo are too small for two, which wait for each other where a machine is busy.
.PHONY: demo test lint docs env clean

demo: $(READY)  ## the main job on the embedded synthetic corpus, to a table and a picture
	OMP_NUM_THREADS=1 $(BIN)/auscult demo

test: $(READY)  ## every test, the slow ones included
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: $(READY)  ## what CI asks of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files "*.c" "*.h" | xargs $(BIN)/clang-format --dry-run -Werror

docs: $(READY)  ## the documentation, strictly, into docs/_build
	MPLBACKEND=Agg $(BIN)/python -m sphinx --jobs auto --fail-on-warning --keep-going --nitpicky --quiet docs docs/_build

env: $(READY)

# Python compiles what it imports, less than half of what pip would compile.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist docs/_build docs/reference/generated *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
