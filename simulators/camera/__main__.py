"""``python -m simulators.camera``: see ``command``."""

import sys

from simulators.camera.command import main, parse
from simulators.process import die_with_parent, run

if __name__ == "__main__":
    die_with_parent()
    sys.exit(run(main(parse())))
