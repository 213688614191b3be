# Everything a person does with this project. `make help` lists it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SPARK  := .venv-spark
HOME_DIR := $(or $(SJOSTAD_HOME),$(CURDIR)/.sjostad)
PORT   ?= 3000

.DEFAULT_GOAL := help
.PHONY: help setup run ui docs test test-fast test-spark listing lint format types lock sbom audit-packages clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup: $(VENV)/.ready ## Make the virtual environment with the pinned packages

$(VENV)/.ready: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: setup ## Run the whole flow on the sample city, from deliveries to the portal
	@$(BIN)/sjostad run --sample

ui: setup ## Open the Dagster UI on http://localhost:3000 (PORT=… for another)
	@$(BIN)/sjostad prepare
	@DAGSTER_HOME=$(HOME_DIR)/dagster $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p $(PORT)

docs: setup ## Write the models, columns, tests and lineage as one page that needs no network
	@SJOSTAD_HOME=$(HOME_DIR) $(BIN)/dbt --quiet docs generate --static --project-dir dbt --profiles-dir dbt \
	  --target-path $(HOME_DIR)/docs
	@echo "$(HOME_DIR)/docs/static_index.html"

test: lint ## Everything CI runs: lint, types, import directions, all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-fast: setup ## The unit tests that take seconds
	@$(BIN)/python -m pytest -n 2 -m "not slow" tests/unit

$(SPARK)/.ready: requirements-spark.lock
	@test -x $(SPARK)/bin/python || $(PYTHON) -m venv $(SPARK)
	$(SPARK)/bin/python -m pip install --quiet --no-deps --require-hashes --requirement $<
	@touch $@

test-spark: setup $(SPARK)/.ready ## Build the sample city on a Spark engine too, and compare every row (1.2 GB to install)
	@SJOSTAD_SPARK=$(SPARK) $(BIN)/python -m pytest tests/spark

listing: setup ## Write the tables of protocols and formats in docs/sources.md anew
	@$(BIN)/python -m ingestion.listing

lint: setup ## Style, types and import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## Pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements.lock
	uv pip compile requirements-spark.in --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements-spark.lock

sbom: setup ## List what is installed as CycloneDX, in build/sbom.json
	@mkdir -p build
	@$(BIN)/python -m cyclonedx_py environment --output-format JSON --output-file build/sbom.json $(BIN)/python
	@echo "build/sbom.json"

audit-packages: setup ## Ask whether pinned packages have known holes; what could not be asked has failed
	@$(BIN)/python -m pip_audit --strict --require-hashes --disable-pip --requirement requirements.lock

clean: ## Remove the lake, the environment and caches
	rm -rf .sjostad build $(VENV) $(SPARK) dbt/target dbt/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
