#!/bin/sh
# Pins the versions: constraints.txt for set-up, requirements.lock (hashes, no extras)
# for releases. Wants uv; refuses to write an address into a file.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}
# dev holds every extra but train, which pins itself: it brings gigabytes of its own.
"$uv" pip compile pyproject.toml --quiet --extra dev --universal "$@" \
    --no-header --no-annotate -o constraints.txt
"$uv" pip compile pyproject.toml --quiet --universal --generate-hashes \
    --no-header --no-annotate -c constraints.txt -o requirements.lock
if grep -n '://' constraints.txt requirements.lock; then
    echo "an address in a lock file: do not commit it" >&2
    exit 1
fi
