# make lab        the environment, then JupyterLab at notebooks/
# make test       the environment, then every test (each notebook is executed once)
# make notebooks  execute the notebooks in place and normalise their outputs
# make bench      the speed measurements of benchmarks/
# Each creates .venv from requirements.txt when it is missing or out of date.
# Another Python: make lab PYTHON=python3.12. Other pip options: PIP_ARGS="…".

PYTHON ?= python3
# OpenMP threads that spin for long make a busy machine many times slower.
export GOMP_SPINCOUNT ?= 2500
PIP_ARGS ?=
# JupyterLab refuses to run as root, as one is in a container, unless told.
LAB_ARGS ?= $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: lab test notebooks bench lint clean
.DEFAULT_GOAL := lab

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else "This course needs Python 3.10 or newer, and $(PYTHON) is %d.%d. Try: make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_ARGS) -r requirements.txt
	@touch $@

lab: $(READY)
	$(BIN)/jupyter lab $(LAB_ARGS) notebooks

test: $(READY)
	$(BIN)/python -m pytest tests

notebooks: $(READY)
	$(BIN)/python tools/notebooks.py run

bench: $(READY)
	$(BIN)/python -m benchmarks

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf .venv build *.egg-info
