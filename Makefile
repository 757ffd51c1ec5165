# For people's habits. Everything here is a plain command; nothing needs make. `make` alone lists the targets.
PY ?= .venv/bin/python

help:             ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/: .*## */\t/' | expand -t 14

venv:             ## .venv with everything, versions and hashes from requirements-dev.lock
	python3 -m venv .venv
	$(PY) -m pip install -q --require-hashes -r requirements-dev.lock
	$(PY) -m pip install -q --no-deps --no-build-isolation -e .

check:            ## what CI checks, without the slow tests
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(PY) -m pytest -n auto

slow:             ## the full sweeps: kills, power loss, races
	$(PY) -m pytest -n auto -m slow

format:           ## rewrite the layout of the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

lengths:          ## the longest files and functions: where to look for a seam
	$(PY) tests/test_architecture.py

bench:            ## everything measured in one run, into docs/PERFORMANCE.md
	$(PY) -m bench

dist:             ## wheel, sdist and bill of materials in dist/
	$(PY) -m hatchling build -d dist
	$(PY) .ci/sbom.py > dist/sbom.cdx.json

audit:            ## known vulnerabilities in what requirements.lock pins
	.ci/audit

lock:             ## resolve anew: uv.lock, and from it the two lists for pip
	uv lock
	uv export -q --no-header --no-annotate --no-emit-project --locked -o requirements.lock
	uv export -q --no-header --no-annotate --no-emit-project --locked --extra dev -o requirements-dev.lock

.PHONY: help venv check slow format lengths bench lock dist audit
