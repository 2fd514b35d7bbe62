"""Command and system codes: what a frame is about.

Source: HJ 212-2017, tables 5 and 9. The codes that only HJ 212-2025 has (1001, 1002,
1014, 2013, 2052, 2062, 2111, 3022, 3024, 9015) were taken from public implementations
that follow its annex C; its own text was not at hand.
"""

from __future__ import annotations

from typing import Literal, get_args

DataCommand = Literal[2011, 2013, 2021, 2031, 2041, 2051, 2052, 2061, 2062, 2111]
"""What carries measurements: 2011 real-time, 2051 minute, 2061 hour, 2031 day."""

DATA: frozenset[int] = frozenset(get_args(DataCommand))
REQUESTS: frozenset[int] = frozenset(
    (
        1000, 1001, 1002, 1011, 1012, 1061, 1062, 1063, 1064, 1072, 2081,
        3011, 3012, 3013, 3014, 3015, 3016, 3017, 3018, 3019, 3020, 3021, 3022, 3024,
    )
)  # fmt: skip
NOTICES: frozenset[int] = frozenset((1013, 1014, 2012, 2022, 9015))
"""Answered with 9013; so is 1001."""
REPLIES: frozenset[int] = frozenset((9011, 9012, 9013, 9014))
KNOWN = DATA | REQUESTS | NOTICES | REPLIES

UPLOADS: frozenset[int] = DATA | {2081, 3015, 3019, 3020}
"""What an instrument sends by itself and has confirmed with 9014."""
NOTICE_ANSWERED = frozenset((1001, 1013, 1014, 9015))
"""What an instrument sends by itself and has confirmed with 9013."""

NOTICE_ANSWER = 9013
DATA_ANSWER = 9014
SYSTEM_INTERACTION = "91"
"""The ST of every answer 9011..9014."""
