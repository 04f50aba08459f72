# make lab        the environment, then JupyterLab at notebooks/
# make test       the environment, then every test (each notebook is executed once)
# make doctor     the environment, then what this machine has and how fast it will be
# make notebooks  execute the notebooks in place and normalise their outputs
# make bench      the speed measurements of benchmarks/
# make student    build/student/: the course for students, without solutions
# make slides     build/slides/index.html: the notebooks as slides, without a network
# make site       build/site/index.html: the course to read, slides and a zip beside it
# make figures    build/figures/: drawings for your own talk, SVG and PDF
# The first of slides and site adds to .venv what requirements-teach.txt names.
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
TEACH := .venv/.teach
# What .venv holds names its folder in full: in a copied or moved checkout it would run
# the old folder's code. So .ready holds the folder for which it was built.
MOVED := $(shell [ ! -e $(READY) ] || [ "$$(cat $(READY))" = "$$(pwd -P)" ] || echo yes)
# What makes PyTorch fast on a CPU must be set before it starts.
RUN := env $$($(BIN)/python alexnet_lab/environment.py run) $(BIN)/python
# Lints the JavaScript of the pages, where Node.js is there: npx fetches it once.
NPX := npm_config_fetch_retries=0 npx --yes eslint@9

.PHONY: lab test doctor notebooks bench slides site figures student lint clean moved
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

# Two at a time, each with half of the cores: most tests can use one core only.
test: $(READY)
	$(RUN) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder tests

doctor: $(READY)
	$(RUN) -m alexnet_lab doctor

notebooks: $(READY)
	$(RUN) tools/notebooks.py run

bench: $(READY)
	$(RUN) -m benchmarks $(BENCH_ARGS)

student: $(READY)
	$(BIN)/python tools/student_edition.py

$(TEACH): requirements-teach.txt $(READY)
	$(BIN)/python -m pip install $(PIP_ARGS) -r requirements-teach.txt
	@touch $@

slides: $(TEACH)
	$(BIN)/python tools/decks.py

site: $(TEACH)
	$(BIN)/python tools/course_site.py $(SITE_ARGS)

figures: $(READY)
	$(BIN)/python tools/figures.py

lint: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	@if $(NPX) --version >/dev/null 2>&1; \
	then $(NPX) --config tools/eslint.config.mjs alexnet_lab/plots/pages tools/slides; \
	else echo "The pages' JavaScript is not linted: no npx, or no network."; fi

clean:
	rm -rf .venv build *.egg-info
