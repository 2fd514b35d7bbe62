#!/bin/sh
# The whole suite with small counts, subprocesses counted in the coverage.
# Arguments go to pytest; a part of the suite is not held to the floor.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
rm -f .coverage .coverage.*
status=0
$python -m coverage run -m pytest --durations=10 --durations-min=3 "$@" || status=$?
covered=0
$python -m coverage combine --quiet
if [ $# -eq 0 ]; then
    $python -m coverage report --fail-under=90 || covered=$?
else
    $python -m coverage report --fail-under=0
fi
[ $status -ne 0 ] || status=$covered
exit $status
