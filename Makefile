# make lab        the environment, then JupyterLab at notebooks/
# make test       the environment, then every test (each notebook is executed once)
# make doctor     the environment, then what this machine has and how fast it will be
# make notebooks  execute the notebooks in place and normalise their outputs
# make bench      the speed measurements of benchmarks/
# Each creates .venv from requirements.txt when it is missing or out of date.
# PyTorch comes for Python 3.10 to 3.14 on Linux, Windows and Macs with Apple silicon.
# Another Python: make lab PYTHON=python3.12. Other pip options: PIP_ARGS="…".
# `make test` tests the committed notebooks, `make test MINE=1` yours as they are.

PYTHON ?= python3
PIP_ARGS ?=
# JupyterLab refuses to run as root, as one is in a container, unless told.
LAB_ARGS ?= $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)
BIN := .venv/bin
READY := .venv/.ready
# What .venv holds names its folder in full: in a copied or moved checkout it would run
# the old folder's code. So .ready holds the folder for which it was built.
MOVED := $(shell [ ! -e $(READY) ] || [ "$$(cat $(READY))" = "$$(pwd -P)" ] || echo yes)
# What makes PyTorch fast on a CPU must be set before it starts.
RUN := env $$($(BIN)/python alexnet_lab/environment.py run) $(BIN)/python

.PHONY: lab test doctor notebooks bench lint clean moved
.DEFAULT_GOAL := lab

$(READY): requirements.txt pyproject.toml $(if $(MOVED),moved)
	@$(PYTHON) alexnet_lab/environment.py check $(if $(ANYWAY),|| true)
	@$(if $(MOVED),echo "This .venv was not built in this folder: it is built anew."; rm -rf .venv)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_ARGS) -r requirements.txt
	$(BIN)/python -m ipykernel install --sys-prefix $$($(BIN)/python alexnet_lab/environment.py kernel)
	@pwd -P >$@

lab: $(READY)
	$(RUN) -m jupyterlab $(LAB_ARGS) notebooks

test: $(READY)
	$(RUN) -m pytest tests

doctor: $(READY)
	$(RUN) -m alexnet_lab doctor

notebooks: $(READY)
	$(RUN) tools/notebooks.py run

bench: $(READY)
	$(RUN) -m benchmarks $(BENCH_ARGS)

lint: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

clean:
	rm -rf .venv build *.egg-info
