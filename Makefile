# make study   sets up .venv, runs the example study, prints its table and writes its report
# make test    sets up .venv and passes the tests
# make setup   sets up .venv alone; .venv/bin/hpo-lab is there afterwards
# make peers   sets up .venv-peers: the same and torch, botorch and nevergrad, to be compared with
# make compare runs every strategy and the peers side by side there, in some two hours

PYTHON ?= python3
BIN := .venv/bin
STUDY := experiments/no_attention
PEERS := .venv-peers/bin
STRATEGIES := experiments/strategies
TORCH := torch==2.13.0
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup study study-full score paths test lint paper benchmarks torture peers compare compare-speed lock clean

setup: .venv/.installed

# Debian keeps venv in a package of its own; where it is missing, virtualenv does the same work.
define new_venv
@$(PYTHON) -m venv --clear $(1) >/dev/null 2>&1 || { \
  echo "$(PYTHON) has no working venv module: taking virtualenv instead"; \
  $(PYTHON) -m pip install --require-hashes --upgrade --target .bootstrap -r bootstrap.txt && \
  PYTHONPATH=.bootstrap $(PYTHON) -m virtualenv --clear $(1); }
endef

# The stamps are written last and live inside .venv, so an attempt that was cut short, or a change
# of the pins, starts the environment anew. A change of pyproject.toml alone takes seconds.
.venv/.pinned: constraints.txt bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hpo_lab needs Python 3.11 or later and $(PYTHON) is older; name another one, as in: make setup PYTHON=python3.12")'
	$(call new_venv,.venv)
	$(BIN)/python -m pip install --require-hashes -r constraints.txt
	@touch $@

.venv/.installed: .venv/.pinned pyproject.toml
	@# Without the warning that every editable install gives, which asks for nothing.
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

study: setup
	$(BIN)/hpo-lab run $(STUDY)/quick.toml
	$(BIN)/hpo-lab report $(STUDY)/quick.toml

study-full: setup
	$(BIN)/hpo-lab run $(STUDY)/study.toml
	$(BIN)/hpo-lab report $(STUDY)/study.toml
	$(BIN)/python -m experiments.keep results/no_attention $(STUDY)

# How often the instrument is wrong: simulates anew what experiments/instrument keeps.
score: setup
	$(BIN)/python -m experiments.instrument

# Where each strategy looks on the same two landscapes: results/paths/index.html.
paths: setup
	$(BIN)/python -m experiments.paths

test: setup
	$(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

paper: setup
	$(BIN)/python paper/build.py

benchmarks: setup
	$(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only

torture: setup
	$(BIN)/python -m pytest -n 2 -m slow

peers: .venv-peers/.installed
	$(PEERS)/python -m pytest tests/test_peer_strategies.py

# What was run is kept, so that a second call goes on where the first one ended.
compare: .venv-peers/.installed
	$(PEERS)/hpo-lab run $(STRATEGIES)/study.toml
	$(PEERS)/hpo-lab run $(STRATEGIES)/peers.toml $(patsubst %,--plugin %,$(wildcard $(STRATEGIES)/peers/*.py))
	$(PEERS)/python -m experiments.strategies

compare-speed: .venv-peers/.installed
	RAYON_NUM_THREADS=1 $(PEERS)/python tests/benchmarks/compare_models.py --keep $(STRATEGIES)/summary/speed.csv
	$(PEERS)/python tests/benchmarks/compare_evolution.py --keep $(STRATEGIES)/summary/generations.csv
	$(PEERS)/python tests/benchmarks/growth.py --keep $(STRATEGIES)/summary/growth.csv
	$(PEERS)/python -m experiments.strategies.published
	$(PEERS)/python -m experiments.strategies.page

# torch comes last and without hashes: which of its files fits depends on the machine.
.venv-peers/.installed: constraints.txt $(STRATEGIES)/peers.txt pyproject.toml
	$(call new_venv,.venv-peers)
	$(PEERS)/python -m pip install --require-hashes -r constraints.txt
	$(PEERS)/python -m pip install --require-hashes --no-deps -r $(STRATEGIES)/peers.txt
	$(PEERS)/python -m pip install $(TORCH)
	PYTHONWARNINGS=ignore $(PEERS)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

# One resolution for every platform and Python. The files hold names, versions, markers and hashes.
LOCK := .bootstrap/bin/uv pip compile --upgrade --universal --python-version 3.11 \
  --generate-hashes --no-header --no-annotate --no-emit-index-url --quiet
lock:
	$(PYTHON) -m pip install --upgrade --target .bootstrap uv
	$(LOCK) --extra dev pyproject.toml --output-file constraints.txt
	echo virtualenv | $(LOCK) - --output-file bootstrap.txt
	printf 'botorch\negobox\nnevergrad\n$(TORCH)\n' | $(LOCK) -c constraints.txt - \
	  $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' constraints.txt) | \
	  awk '/^[a-z]/ {kept = !/^(cuda|nvidia|torch|triton)/} kept' > $(STRATEGIES)/peers.txt

clean:
	rm -rf .venv .venv-peers .bootstrap build results *.egg-info .benchmarks .hypothesis .*_cache
	find hpo_lab landscapes tests paper -name __pycache__ -prune -exec rm -rf {} +
