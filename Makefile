# make figures: set up and run the workflow.   make test: set up and run the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
CONFIG ?= config/config.yaml

.PHONY: figures test setup lock benchmark clean
.DEFAULT_GOAL := figures

figures: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --report results/report.html --configfile $(CONFIG) --quiet

test: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist loadfile $(TESTS)

setup:
	@PYTHON="$(PYTHON)" sh workflow/set_up.sh $(VENV)

lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --python-version 3.11 --extra workflow --extra test --generate-hashes \
	  --no-header --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock
	$(BIN)/python workflow/scripts/write_environment.py

benchmark: setup
	$(BIN)/python benchmarks/training_speed.py

clean:
	rm -rf $(VENV)
