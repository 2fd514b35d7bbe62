#!/bin/sh
# Lint, types, imports, generated documents. Runs all of them, then says which failed.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=
step() {
    name=$1
    shift
    printf '== %s\n' "$name"
    "$@" || failed="$failed, $name"
}
step "ruff check" $bin/ruff check .
step "ruff format" $bin/ruff format --check .
step "mypy" $bin/mypy
step "imports" $bin/lint-imports
step "generated documents" $bin/python docs/generate.py --check
if [ -n "$failed" ]; then
    printf 'failed: %s\n' "${failed#, }" >&2
    exit 1
fi
