"""``python -m vision VERB ...``: what a person at a terminal asks of vision.

The command line of the gateway starts this as a child and words what it prints: the
gateway's own process stays free of pictures and models. Every line on standard output
is one JSON object, whose ``kind`` says what it is; ``{"kind": "error", "key": ...,
"args": {...}}`` names a sentence of the gateway's catalogue, and the exit status is
then 1. What is said on standard error is for developers.

A verb is a module of ``vision.verbs`` with ``main(arguments) -> int``.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec

from vision.said import Trouble, say


def main(arguments: list[str]) -> int:
    """Run one verb; the exit status is the verb's, 2 where there is none such."""
    verb = arguments[0] if arguments else ""
    name = f"vision.verbs.{verb.replace('-', '_')}"
    if not verb.replace("-", "").isalpha() or find_spec(name) is None:
        sys.stderr.write(f"expected a verb of vision.verbs, got {verb!r}\n")
        return 2
    try:
        status: int = importlib.import_module(name).main(arguments[1:])
    except Trouble as exc:
        say({"kind": "error", "key": exc.key, "args": exc.args_})
        return 1
    except KeyboardInterrupt:
        return 130
    return status


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a camera's reader may be in a call of C, which aborts the process.
    os._exit(code)
