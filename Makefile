# Requirements: Python 3.11 or newer, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps

.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv in the checkout, with the locked packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# uv is twice as fast as pip, but ignores pip.conf; if uv finds no index, use pip.
	@awk '/^uv==/,!/\\$$/' requirements.lock > $(VENV)/uv.lock
	$(PIP) --require-hashes -r $(VENV)/uv.lock
	$(UV) --compile-bytecode --require-hashes -r requirements.lock || $(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation -e .
	@# Without this, dbt takes twice as long to start where bytecode cannot be written at run time.
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q analyst flows python_enrichers spot_oa
	@touch $@

demo: $(READY) ## make a synthetic network and run every pipeline on it
	$(BIN)/spot-oa demo

server: $(READY) ## start a Prefect server, the deployments and a worker; Ctrl-C stops them
	$(BIN)/python -m flows.orchestration.local_server

test: $(READY) ## run the everyday tests
	$(BIN)/python -m pytest -m "not long"

test-all: test-long test-spark ## run the long tests: engines (needs Java 17), browser, servers, faults, mutants

test-long: $(READY) ## run the long tests without Spark, or those in LONG="tests/..."
	$(BIN)/python -m pytest -m "long and not spark$(if $(BRIEF), and not thorough)" --moments $(if $(BRIEF),2,4) $(LONG)

test-spark: setup-spark ## run the tests on a Spark cluster (needs Java 17); BRIEF=1 as in CI, also for test-long
	$(BIN)/python -m pytest -m "spark$(if $(BRIEF), and not thorough)" -n 0

impala-sql: $(READY) ## print the SQL that sets up a new Impala cluster
	@$(BIN)/python -m tests.support.impala.ddl

setup-spark: $(READY) ## add Spark to .venv (half a gigabyte)
	$(PIP) --no-build-isolation --require-hashes -r requirements-spark.lock

lint: $(READY) ## check style and types of Python, SQL and YAML, and that dbt gives no warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	SPOT_OA_WAREHOUSE=:memory: $(BIN)/dbt --quiet --warn-error parse --profiles-dir profiles
	$(BIN)/dbt --quiet --warn-error parse --profiles-dir profiles --target impala
	SPOT_OA_WAREHOUSE=:memory: $(BIN)/sqlfluff lint --disable-progress-bar models tests/dbt

bench: $(READY) ## run the benchmarks, and write their tables into docs/performance.md
	$(BIN)/python -m benchmarks $(if $(SIZES),--sizes $(SIZES)) $(if $(PARTS),--parts $(PARTS)) \
		$(if $(FOLDER),--folder $(FOLDER))

audit: $(READY) ## look for known vulnerabilities in the locked packages (queries pypi.org)
	@$(BIN)/uv tool run --quiet pip-audit --strict --disable-pip --require-hashes \
		--progress-spinner off --requirement requirements.lock \
		|| { echo "audit: vulnerabilities found, or https://pypi.org/pypi not reachable: see above" >&2; exit 1; }

faults: $(READY) ## test runs at length with kills, full disks, damaged files and races (most of an hour)
	$(BIN)/python -m pytest -s --timeout 0 --moments 20 --seed $$(date +%s) tests/faults

docs: $(READY) ## write the demo's dbt docs as one static page, target/static_index.html
	@test -f spot-oa-home/warehouse.duckdb || $(BIN)/spot-oa demo
	$(BIN)/dbt docs generate --static --quiet --profiles-dir profiles --vars '{date: 2016-07-08}'
	@echo "open target/static_index.html"

screenshot: $(READY) ## take the screenshots of the demo for README and docs (needs Chromium)
	@test -f spot-oa-home/data/reports/20160709.html || $(BIN)/spot-oa demo
	$(BIN)/python -m tests.support.screenshot "$$(command -v chromium)"

lock: $(READY) ## lock the newest packages that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-header --extra dev pyproject.toml --output-file requirements.lock
	@# Only the packages that Spark adds: all other hash lines are in requirements.lock.
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --constraint requirements.lock --extra spark --extra spark-cluster pyproject.toml \
		| grep -vxFf requirements.lock > requirements-spark.lock

clean: ## remove the files made by setup, tests and dbt
	rm -rf $(VENV) target logs .pytest_cache .mypy_cache .ruff_cache *.egg-info

.PHONY: help setup demo server test test-all test-long test-spark impala-sql setup-spark lint bench audit faults docs screenshot lock clean
