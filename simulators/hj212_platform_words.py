"""What a platform says: requests, right and wrong on purpose, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from simulators.hj212_codec import check_of, enveloped
from simulators.hj212_segment import ANSWER, VERSIONS, cp_range, write
from simulators.hj212_sm4 import sealed
from simulators.hj212_tables import INTERACTION

if TYPE_CHECKING:
    from simulators.hj212_platform_account import Account

NEW_KEY, NEW_PASSWORD = 1014, 1072


class Wrong(NamedTuple):
    """What of a request is not as it should be; None: it is right."""

    mn: str | None = None
    st: str | None = None
    pw: str | None = None
    flag: int | None = None
    damaged: bool = False
    """Its CRC is not that of its bytes."""


def request(account: Account, cn: int, cp: str, qn: str, wrong: Wrong) -> bytes:
    """The frame of a request."""
    flag = VERSIONS[account.version] | ANSWER if wrong.flag is None else wrong.flag
    plain = write(
        [
            ("QN", qn),
            ("ST", account.st if wrong.st is None else wrong.st),
            ("CN", str(cn)),
            ("PW", account.pw if wrong.pw is None else wrong.pw),
            ("MN", account.mn if wrong.mn is None else wrong.mn),
            ("Flag", str(flag)),
        ],
        cp,
    )
    check = check_of(plain)
    if wrong.damaged:
        check = f"{int(check, 16) ^ 0x0100:04X}"
    span = cp_range(plain)
    if account.key is not None and account.new and cn == NEW_KEY and span:
        # A new key in plain would be no secret; 6.4.4 names 1014 without a direction.
        start, end = span
        body = sealed(plain[start:end], account.key, account.sealed)
        plain = plain[:start] + body + plain[end:]
    return enveloped(plain, check)


def answer(account: Account, cn: int, qn: str) -> bytes:
    """The frame of 9013 or 9014: ST=91, the QN of what it answers, no answer bit."""
    return enveloped(
        write(
            [
                ("QN", qn),
                ("ST", INTERACTION),
                ("CN", str(cn)),
                ("PW", account.pw),
                ("MN", account.mn),
                ("Flag", str(VERSIONS[account.version])),
            ]
        )
    )


def follow(account: Account, cn: int, cp: str) -> None:
    """What a device was told successfully is what it is held to from now on."""
    sent = dict(pair.partition("=")[::2] for pair in cp.split(";"))
    match cn:
        case 1000:
            account.overtime_s = float(sent["OverTime"])
            account.recount = int(sent["ReCount"])
        case 1062:
            account.rtd_s = int(sent["RtdInterval"])
        case 1064:
            account.minute_min = int(sent["MinInterval"])
        case 1072:
            account.pw = sent["NewPW"]
        case _:
            pass
