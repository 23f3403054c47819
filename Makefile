# Two commands set everything up: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLE := bundles/digits
BUNDLE ?= $(EXAMPLE)

.PHONY: serve test lint format bench clean

serve: $(VENV)/installed $(BUNDLE)/manifest.json
	$(BIN)/rn serve $(BUNDLE)

test: $(VENV)/installed
	$(BIN)/pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed $(EXAMPLE)/manifest.json
	$(BIN)/python -m bench.digits
	$(BIN)/python -m bench.online

clean:
	rm -rf $(VENV) build *.egg-info runs bundles var

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

runs/digits/run.json: | $(VENV)/installed
	$(BIN)/rn adapt printed-digits --threads 1 --out runs/digits

$(EXAMPLE)/manifest.json: runs/digits/run.json
	$(BIN)/rn export runs/digits --out $(EXAMPLE) --replace

%/manifest.json:
	@echo "$* is not a bundle: give BUNDLE=directory, or leave it away for the example" >&2; exit 1
