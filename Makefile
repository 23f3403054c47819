# `make serve` serves the example, `make test` runs the tests, `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLE := bundles/digits
# More flags for the training of the example, such as --steps 50.
EXAMPLE_FLAGS ?=
BUNDLE ?= $(EXAMPLE)
# Labelled images with which a visitor of the page changes the camera of the example.
IMAGES := $(EXAMPLE)-images
# The example publishes what it learns; your bundle proposes it until you say otherwise.
MODE := $(if $(filter $(EXAMPLE),$(BUNDLE)),RN_ADAPTATION=$${RN_ADAPTATION:-auto} RN_EXAMPLES=$(IMAGES))
PAGE := service/api/page/static/index.html
PAGE_SOURCES := $(wildcard page/*.json page/*.ts page/index.html page/src/* page/src/*/*)
ADDRESS = http://127.0.0.1:$${RN_PORT:-8000}
# Tests of one file run in the same process, so that they share what the file sets up.
WORKERS ?= 2
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/pip install --quiet --constraint constraints.txt --editable
# The example is trained before it is served; a bundle of yours is only served, for which a fifth is enough.
# What was installed for more does less, too.
WANTED := $(if $(filter $(EXAMPLE),$(BUNDLE)),runtime,service)
RUNTIME := $(or $(firstword $(wildcard $(VENV)/installed $(VENV)/runtime)),$(VENV)/$(WANTED))

.DEFAULT_GOAL := help
.PHONY: help serve page test coverage lint format docs site release bench clean

help: ## List the targets.
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

serve: $(RUNTIME) $(PAGE) $(BUNDLE)/manifest.json $(if $(filter $(EXAMPLE),$(BUNDLE)),| $(IMAGES)) ## Serve the example on port 8000, or your bundle: BUNDLE=DIRECTORY.
	@echo "The page:         $(ADDRESS)/"
	@echo "The API:          $(ADDRESS)/docs"
	@echo "In a terminal:    $(BIN)/rn demo, $(BIN)/rn --help"
	@echo "Your own images:  README.md, \"Your own images\""
	@echo "Everything else:  docs/README.md"
	@$(MODE) $(BIN)/rn serve $(BUNDLE)

page: $(PAGE) ## Build the page of the service, with a Node.js of its own if there is none.

test: $(VENV)/installed $(PAGE) ## Run the tests, in two processes: WORKERS=N for another number, 0 for none.
	$(PYTEST)

coverage: $(VENV)/installed $(PAGE) ## Run the tests and measure which branches they reach.
	$(PYTEST) --cov --cov-report=term

lint: $(VENV)/installed ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/installed ## Format the code and fix what can be fixed automatically.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/installed ## Write the pages and the picture that are generated from code and results.
	$(BIN)/python -m scripts.commands_page
	$(BIN)/python -m scripts.settings_page
	$(BIN)/python -m scripts.dashboard
	$(BIN)/python -m scripts.api_description
	$(BIN)/python -m scripts.api_page
	$(BIN)/python -m scripts.method_picture
	$(BIN)/python -m bench.picture

site: $(VENV)/installed ## Build the documentation site, build/site/index.html.
	$(BIN)/sphinx-build --quiet --fail-on-warning docs build/site

release: $(PAGE) ## Build the wheel, list what it brings along (SBOM), audit it: build/release.
	$(PYTHON) -m scripts.release

bench: $(VENV)/installed $(EXAMPLE)/manifest.json ## Measure the example: training, online adaptation, and serving.
	$(BIN)/python -m bench.digits
	$(BIN)/python -m bench.online_digits
	$(BIN)/rn bench $(EXAMPLE)

clean: ## Remove everything that was installed, trained, exported or recorded.
	rm -rf $(VENV) build *.egg-info runs bundles var page/node_modules service/api/page/static

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) '.[dev]'
	touch $@

$(VENV)/runtime: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) '.[train,cpu]'
	touch $@

$(VENV)/service: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) '.[cpu]'
	touch $@

runs/digits/run.json: | $(RUNTIME)
	$(BIN)/rn adapt printed-digits --threads 1 --out runs/digits $(EXAMPLE_FLAGS)

$(EXAMPLE)/manifest.json: runs/digits/run.json
	$(BIN)/rn export runs/digits --out $(EXAMPLE) --replace

$(IMAGES): | $(RUNTIME)
	$(BIN)/rn demo --write-images $@

$(PAGE): $(PAGE_SOURCES) | $(RUNTIME)
	@echo building the page
	@$(BIN)/python -m scripts.build_page
	@touch $@

%/manifest.json:
	@echo "$* is not a bundle: set BUNDLE=DIRECTORY, or omit it to use the example" >&2; exit 1
