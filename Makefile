# Two commands on a fresh machine: `make demo` and `make test`. They need Python 3.11 to 3.13 and a package index.

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(if $(shell $(name) -c 'import sys,venv,ensurepip; print(1 if (3,11) <= sys.version_info < (3,14) else "")' 2>/dev/null),$(name),)))
VENV := .venv
BIN := $(VENV)/bin
ENTRIES ?= 100000
# One more than the two cores they are meant for: many tests wait, for a server that starts or a deadline that passes.
WORKERS ?= 3
STAMP := $(VENV)/installed

# Python keeps what it has compiled, whatever the surroundings say: every start of a command is faster by a second.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo demo-check test install lock lint types contracts bench durability clean help

help:
	@echo "make demo        start a server on loopback, push three reports, read them through both doors"
	@echo "make demo-check  the same, then stop; exit code 0 or 1"
	@echo "make test        all tests, by WORKERS=3 processes"
	@echo "make install     the environment in $(VENV) only"
	@echo "make lint types contracts   the checks that .ci/run adds"
	@echo "make durability  kills and power cuts, the long form (about an hour)"
	@echo "make bench       measure each transaction beside what costs nothing, and what each layer of security takes (ENTRIES=100000)"
	@echo "make bench-compare BASE=FILE   what became slower since an earlier result"
	@echo "make load        arrivals of LOAD=feed (or search, mixed, overload …) in an open loop, all of security on (DATABASE=PostgreSQL)"

demo: $(STAMP)
	@$(BIN)/carnet demo

demo-check: $(STAMP)
	@$(BIN)/carnet demo --check --port 0

test: $(STAMP)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml requirements.lock
	@if [ -z "$(PYTHON)" ]; then echo "make: Python 3.11, 3.12 or 3.13 with venv and ensurepip is needed and was not found" >&2; exit 1; fi
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c requirements.lock -e '.[test,dev]' \
	  || { echo "make: the packages could not be installed from the package index; see the lines above" >&2; exit 1; }
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null || true  # on all cores; what is no Python stays as it is
	@touch $(STAMP)

lock: $(STAMP)
	@$(BIN)/python -m pip freeze --exclude-editable | grep -v '^carnet==' > requirements.lock

lint: $(STAMP)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP)
	@$(BIN)/mypy xds schemas soap access_policy audit storage cda hl7v3 dmp subscriptions registry repository jobs portable_media fhir_facade carnet conformance

contracts: $(STAMP)
	@$(BIN)/lint-imports

durability: $(STAMP)
	@$(BIN)/python -m pytest -q -s -m "long or not long" tests/durability

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.bench --entries $(ENTRIES)
	@$(BIN)/python -m benchmarks.layers
	@$(BIN)/python -m benchmarks.large_documents

LOAD ?= feed
DATABASE ?= PostgreSQL
SECONDS_OF_LOAD ?= 600
load: $(STAMP)
	@$(BIN)/python -m benchmarks.load $(LOAD) --database $(DATABASE) --entries $(ENTRIES) --seconds $(SECONDS_OF_LOAD)

bench-compare: $(STAMP)
	@test -n "$(BASE)" || { echo "make: BASE=FILE is missing, an earlier result of make bench (benchmarks/results/….json)" >&2; exit 1; }
	@$(BIN)/python -m benchmarks.compare $(BASE) $(NEW)

clean:
	rm -rf conformance/peers/*/target
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache

.PHONY: docs
docs: $(STAMP)
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m tests.conformance.faulty_clients_page
	@$(BIN)/python -m tests.conformance.faulty_servers_page
