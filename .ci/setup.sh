#!/bin/sh
# Makes .venv ready for the extra named by $1 (demo or dev); at once when nothing changed.
#
# Wants Python 3.11 or newer with its venv module; everything else comes by pip, pinned
# by constraints.txt. A stamp in .venv remembers what it was made from. $PYTHON chooses
# an interpreter. Every failure is one clear line and exit status 1.
set -eu
extra=${1:-demo}
cd "$(dirname "$0")/.."

say() { printf 'ecogate setup: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

# pyenv and asdf put shims on PATH that exist and fail: only a run tells.
runs() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() {
    bare=
    for python in ${PYTHON:+"$PYTHON"} python3.11 python3.12 python3.13 python3.14 \
        python3 /usr/bin/python3.11 /usr/bin/python3 python; do
        runs "$python" || continue
        if has_venv "$python"; then
            printf '%s\n' "$python"
            return
        fi
        bare=${bare:-$python}
    done
    if [ -z "$bare" ]; then
        fail "no Python 3.11 or newer found." \
            "Install it (Debian, Ubuntu, Raspberry Pi OS: sudo apt install python3" \
            "python3-venv; openEuler, Fedora: sudo dnf install python3)" \
            "or name one: make $extra PYTHON=/path/to/python3"
    fi
    version=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "Python $version is here, but without its venv module." \
        "Debian, Ubuntu, Raspberry Pi OS: sudo apt install python$version-venv;" \
        "openEuler, Fedora: sudo dnf install python3-pip"
}

# Where the checkout lies is part of the stamp: a moved .venv has wrong paths inside.
stamp="$(cksum < pyproject.toml) $(cksum < constraints.txt) $PWD"
for done_extra in "$extra" dev; do # dev holds everything demo does
    if [ "$(cat ".venv/.stamp-$done_extra" 2>/dev/null)" = "$stamp" ] &&
        runs .venv/bin/python; then
        exit 0
    fi
done

# One set-up at a time: a second make waits for the first instead of breaking it.
if [ -z "${ECOGATE_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
    ECOGATE_SETUP_LOCKED=1 exec flock .ci/setup.sh .ci/setup.sh "$extra"
fi

if [ -n "${PYTHON:-}" ] || ! runs .venv/bin/python ||
    ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    say "making .venv with $("$python" --version 2>&1)"
    rm -rf .venv
    "$python" -m venv .venv || fail "$python could not make .venv (see above)"
fi

say "fetching the packages of constraints.txt (once; a minute or two)"
log=.venv/setup.log
if ! PIP_DEFAULT_TIMEOUT=${PIP_DEFAULT_TIMEOUT:-30} .venv/bin/python -m pip \
    --disable-pip-version-check --no-input install --quiet --retries 2 \
    -c constraints.txt -e ".[$extra]" >"$log" 2>&1; then
    if grep -q -i -E 'connection|temporary failure|name resolution|network|proxy|ssl|timed out' "$log"; then
        fail "no network: the package index did not answer." \
            "Connect this machine once, or point PIP_FIND_LINKS at a folder of wheels" \
            "(details: $log)"
    fi
    tail -n 5 "$log" >&2
    fail "pip failed (details: $log)"
fi
printf '%s\n' "$stamp" > ".venv/.stamp-$extra"
