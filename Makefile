# Every target sets itself up: Python 3.11 or newer, make and git are enough.
# PYTHON=/path/to/python3 chooses an interpreter; ARGS go to the command behind a target.
.PHONY: help demo test bars bench check lint fmt docs lock wheels clean
.SILENT:
comma := ,

help:
	echo "make demo   a gateway, simulated devices, a broker and a judge (ARGS='--for 30s')"
	echo "            VISION=1: and a camera that sees smoke"
	echo "make test   every kind of test, small counts (ARGS='-k buffer')"
	echo "make check  lint, types, imports, generated documents"
	echo "make bars   the full counts and the benchmark, two hours and more"
	echo "make bench  the benchmark alone (ARGS=--quick for a look)"
	echo "make fmt    format; make lint: ruff alone; make docs: generate documents"
	echo "make wheels whether an aarch64 gateway installs without a compiler"

demo:
	.ci/setup.sh demo$(if $(VISION),$(comma)vision)
	exec .venv/bin/ecogate demo $(if $(VISION),--vision) $(ARGS)

test:
	.ci/apt.sh
	.ci/setup.sh dev
	exec .ci/test.sh $(ARGS)

bars:
	.ci/apt.sh
	.ci/setup.sh dev
	exec .venv/bin/python -m benchmarks.bars $(ARGS)

bench:
	.ci/apt.sh
	.ci/setup.sh dev
	exec .venv/bin/python -m benchmarks $(ARGS)

check:
	.ci/setup.sh dev
	exec .ci/check.sh

lint:
	.ci/setup.sh dev
	exec .venv/bin/ruff check .

fmt:
	.ci/setup.sh dev
	.venv/bin/ruff check --fix --quiet . || true
	exec .venv/bin/ruff format .

docs:
	.ci/setup.sh dev
	exec .venv/bin/python docs/generate.py

lock:
	exec .ci/lock.sh $(ARGS)

wheels:
	.ci/setup.sh dev
	exec .venv/bin/python .ci/wheels.py

clean:
	rm -rf .venv build dist .coverage .coverage.* .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
