"""PyYAML as a source of nodes with marks: libyaml where it is built in, else Python.

Scalars keep their text: the tag only says whether it stood unquoted, or names the tag
that was written out. What the text means is decided in ``document``.
"""

from __future__ import annotations

from typing import Any

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

PLAIN = "plain"
QUOTED = "quoted"


class TooDeepError(Exception):
    """Nested deeper than allowed; ``mark`` is where, counted from 0."""

    def __init__(self, mark: yaml.Mark) -> None:
        super().__init__("nested too deeply")
        self.mark = mark


class _Untouched(BaseResolver):
    """Resolves nothing, which also spares 12 regular expressions a scalar.

    Both parsers call themselves for every level (libyaml's binding until the stack
    ends the process) and tell us on the way down and up: there depth is bounded.
    """

    max_depth = 0
    depth = 0

    def resolve(self, kind: object, value: object, implicit: Any) -> str:  # noqa: ANN401
        """``implicit``: a pair for scalars (unquoted first), a bool for collections."""
        return PLAIN if isinstance(implicit, tuple) and implicit[0] else QUOTED

    def descend_resolver(self, current_node: Any, current_index: object) -> None:  # noqa: ANN401
        self.depth += 1
        if self.depth > self.max_depth:
            raise TooDeepError(current_node.start_mark)

    def ascend_resolver(self) -> None:
        self.depth -= 1


class PythonLoader(Reader, Scanner, Parser, Composer, _Untouched):
    """For a PyYAML built without libyaml: ten times slower, the same nodes."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)


Loader: Any = PythonLoader
if getattr(yaml, "__with_libyaml__", False):
    from yaml._yaml import CParser

    class CLoader(CParser, _Untouched):
        """The parser of libyaml."""

        def __init__(self, stream: str) -> None:
            CParser.__init__(self, stream)
            BaseResolver.__init__(self)

    Loader = CLoader


def compose(text: str, max_depth: int) -> yaml.Node | None:
    """The root node of a document; None for an empty one.

    Raises:
        yaml.MarkedYAMLError: The text is not YAML.
        TooDeepError: It is nested deeper than ``max_depth`` levels.
    """
    loader = Loader(text)
    loader.max_depth = max_depth
    try:
        root: yaml.Node | None = loader.get_single_node()
        return root
    finally:
        loader.dispose()
