# All a machine needs is Python 3.11 or newer and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv in the checkout, with the locked packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# Some environments forbid writing bytecode at run time: dbt then takes twice as long to start.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q analyst flows python_enrichers spot_oa
	@touch $@

demo: $(READY) ## make a synthetic network and run every pipeline on it
	$(BIN)/spot-oa demo

server: $(READY) ## start a Prefect server, the deployments and a worker; Ctrl-C stops them
	$(BIN)/python -m flows.orchestration.local_server

test: $(READY) ## run the tests of every day
	$(BIN)/python -m pytest -m "not long"

test-all: setup-spark test-long ## run the others: engines (needs Java 17), browser, servers, faults, mutants
	$(BIN)/python -m pytest -m spark -n 0

test-long: $(READY) ## run the long tests that need no Spark, or those of LONG="tests/..."
	$(BIN)/python -m pytest -m "long and not spark" --moments 4 $(LONG)

impala-sql: $(READY) ## print the statements that set up a new Impala cluster
	@$(BIN)/python -m tests.support.impala.ddl

setup-spark: $(READY) ## add Spark to .venv (half a gigabyte)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--require-hashes -r requirements-spark.lock

lint: $(READY) ## check style and types of Python, SQL and YAML, and that dbt warns of nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	SPOT_OA_WAREHOUSE=:memory: $(BIN)/dbt --quiet --warn-error parse --profiles-dir profiles
	$(BIN)/dbt --quiet --warn-error parse --profiles-dir profiles --target impala
	SPOT_OA_WAREHOUSE=:memory: $(BIN)/sqlfluff lint --disable-progress-bar models tests/dbt

bench: $(READY) ## measure, and write the tables into docs/performance.md
	$(BIN)/python -m benchmarks $(if $(SIZES),--sizes $(SIZES)) $(if $(PARTS),--parts $(PARTS)) \
		$(if $(FOLDER),--folder $(FOLDER))

audit: $(READY) ## look for known weaknesses in the locked packages (asks pypi.org)
	@$(BIN)/uv tool run --quiet pip-audit --strict --disable-pip --require-hashes \
		--progress-spinner off --requirement requirements.lock \
		|| { echo "audit: not clean, or https://pypi.org/pypi cannot be asked: see above" >&2; exit 1; }

faults: $(READY) ## kill, fill, spoil and race runs at length (most of an hour)
	$(BIN)/python -m pytest -s --timeout 0 --moments 20 --seed $$(date +%s) tests/faults

docs: $(READY) ## write the dbt docs of the demo as one static page, target/static_index.html
	@test -f spot-oa-home/warehouse.duckdb || $(BIN)/spot-oa demo
	$(BIN)/dbt docs generate --static --quiet --profiles-dir profiles --vars '{date: 2016-07-08}'
	@echo "open target/static_index.html"

screenshot: $(READY) ## take the pictures of the demo that README and docs show (needs Chromium)
	@test -f spot-oa-home/data/reports/20160709.html || $(BIN)/spot-oa demo
	$(BIN)/python -m tests.support.screenshot "$$(command -v chromium)"

lock: $(READY) ## pin the newest packages that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --extra dev pyproject.toml --output-file requirements.lock
	@# Only what Spark adds: the hash lines of all else stand in requirements.lock.
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --constraint requirements.lock --extra spark --extra spark-cluster pyproject.toml \
		| grep -vxFf requirements.lock > requirements-spark.lock

clean: ## remove what setup, tests and dbt made
	rm -rf $(VENV) target logs .pytest_cache .mypy_cache .ruff_cache *.egg-info

.PHONY: help setup demo server test test-all test-long impala-sql setup-spark lint bench audit faults docs screenshot lock clean
