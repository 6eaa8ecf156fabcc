# `make demo` and `make test` set up everything they need on first use; a second run reinstalls nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := $(VENV)/.demo
CPU_INDEX := https://download.pytorch.org/whl/cpu
PIP := $(BIN)/python -m pip install -c constraints.txt
RADZ_TINY := -e packages/zerosight-radz-tiny
# Two processes; one that crashes ends the run (replaced, it would be waited for for ever).
TWO := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0
QUICK := tests/data tests/metrics tests/models/vip2clip tests/train/vip2clip tests/test_*.py

.PHONY: demo test docs test-long test-serve test-stores test-scale test-integrations test-extras quick lint format fuzz kill-test clean
demo: $(DEMO)
	$(BIN)/zerosight demo --out demo-output

test: $(READY) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO)

# What takes a large part of a minute each: the demo, training in two processes, kills, short campaigns.
test-long: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO) -m long --ignore tests/serve

# The server as it is used: pages in Chromium (skipped with a reason where there is none), its schema, load.
test-serve: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,serve-test]'
	test -d node_modules/axe-core || npm install --no-save --no-audit --no-fund axe-core@4 || true
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/serve -m "browser or long" -rs

# The site, strictly, into site/; and every block of Python in the documents, run. Look at it with
# `python -m http.server -d site`.
docs: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/docs -m docs

# Images, results and data sets in a store: an S3 server on loopback, that also fails; emulators of Google's store
# and Azure's (the latter is skipped with a reason where npm does not give it).
test-stores: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,store-test]'
	test -d node_modules/azurite || npm install --no-save --no-audit --no-fund azurite@3 || true
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cli/test_predict_stores.py tests/cli/test_predict_clouds.py -rs

# Predictions and evaluations on a Ray cluster of several nodes on this machine.
test-scale: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,ray]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cli/test_predict_scale.py tests/scale -m scale -rs

# Other people's tools, each in an environment of its own over ours; and the light install in a fresh one.
# What the registry does not give is skipped in a line.
test-integrations: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tools/integrations.py

# Every extra in a fresh environment that has the wheel and it alone: a quarter of an hour, most of it pip's.
test-extras: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tools/integrations.py extras

# A minute or two on 2 cores: what is most often broken. `make test` has the last word.
quick: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(TWO) -m "not slow and not realdata" $(QUICK)

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src
	$(BIN)/python tools/audit.py

# Damaged files of all kinds for so many minutes; the table goes to fuzz.md, and into docs/reliability.md.
MINUTES ?= 10
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/fuzz_campaign.py --minutes $(MINUTES) --report fuzz.md

# Kills at random moments, then resumed: equal results? About a quarter of an hour; the table goes to kills.md.
KILLS ?= 20
kill-test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/kill/kill_campaign.py --kills $(KILLS) --report kills.md

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("zerosight needs Python 3.11 or newer; set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml constraints.txt packages/zerosight-radz-tiny/pyproject.toml | $(BIN)/python
	$(PIP) --quiet -e '.[dev]' $(RADZ_TINY)
	touch $@

# Only what the demo needs. Without an NVIDIA card that is PyTorch for the CPU, a tenth of the other one's size,
# where PyTorch's own index can be reached, else PyPI's; what `make test` has installed will do.
$(DEMO): pyproject.toml packages/zerosight-radz-tiny/pyproject.toml | $(BIN)/python
	@test -e $(READY) || echo "installing what the demo needs into $(VENV): a few minutes, once"
	@test -e $(READY) || command -v nvidia-smi >/dev/null || \
	  $(PIP) --retries 1 --timeout 15 --extra-index-url $(CPU_INDEX) torch torchvision
	@test -e $(READY) || $(PIP) -e . $(RADZ_TINY)
	touch $@

clean:
	rm -rf $(VENV) .venvs build dist *.egg-info demo-output site
