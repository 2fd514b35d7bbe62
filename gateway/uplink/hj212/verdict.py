"""Whether a request is for us at all: password, MN, ST, Flag, QN, CN, in this order.

What is answered repeats the PW and MN of the request, so that nobody learns ours from
a refusal.

Source: HJ 212-2017, table 6; the order is that of its codes.
"""

from __future__ import annotations

import hmac
import re

import msgspec

from drivers.hj212.build import flag
from drivers.hj212.commands import SYSTEM_INTERACTION
from drivers.hj212.deviations import Refusal
from drivers.hj212.segment import ANSWER_WANTED, VERSIONS, Segment
from gateway.uplink.hj212.codes import ExeRtn, QnRtn

SET_MN = 1002
"""Its MN is the new one; ``i23005-Info`` says whom it is for."""
LOGGER_ID = "i23005-Info"
_REQUEST_ANSWER, _RESULT, _NOTICE_ANSWER = 9011, 9012, 9013
_HEAD = {
    "qn": re.compile(r"(?:^|[;,])QN=([0-9]{17})(?=[;,]|$)"),
    "st": re.compile(r"(?:^|[;,])ST=([0-9A-Z]{2,3})(?=[;,]|$)"),
    "pw": re.compile(r"(?:^|[;,])PW=([!-:<-~]{0,32})(?=[;,]|$)"),
    "mn": re.compile(r"(?:^|[;,])MN=([0-9A-Za-z_.-]{0,32})(?=[;,]|$)"),
    "flag": re.compile(r"(?:^|[;,])Flag=([0-9]{1,3})(?=[;,]|$)", re.IGNORECASE),
}
_CAUSES = {
    Refusal.PW: QnRtn.PW,
    Refusal.MN: QnRtn.MN,
    Refusal.ST: QnRtn.ST,
    Refusal.FLAG: QnRtn.FLAG,
    Refusal.QN: QnRtn.QN,
    Refusal.COMMAND: QnRtn.CN,
}


class Us(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are to this platform."""

    pw: str
    mn: str
    st: str
    version: int
    logger: str | None = None
    """Our ``i23005``; None: we have none to be activated by."""


def verdict(segment: Segment, us: Us) -> QnRtn | None:
    """Why a request is not ours to carry out; None: it is."""
    if not us.pw or not hmac.compare_digest(segment.pw.encode(), us.pw.encode()):
        return QnRtn.PW
    if segment.cn == SET_MN and us.logger is not None:
        if segment.get(LOGGER_ID) != us.logger:
            return QnRtn.MN
    elif segment.mn != us.mn:
        return QnRtn.MN
    if segment.st != us.st:
        return QnRtn.ST
    if segment.flag is None or segment.version != us.version:
        return QnRtn.FLAG
    return None


def verdict_unread(cause: str, data: bytes, us: Us) -> Segment | None:
    """The answer to a frame whose check holds and which cannot be read.

    Args:
        cause: Of ``Refusal``.
        data: Its segment.
        us: Who we are.

    Returns:
        None: it wants no answer, or says too little of itself to be given one.
    """
    head = data.decode("ascii", "replace").partition("CP=")[0].rstrip(";")
    found = {name: form.search(head) for name, form in _HEAD.items()}
    got = {name: match[1] for name, match in found.items() if match is not None}
    if "qn" not in got:
        return None
    number = int(got.get("flag", "0"))
    heard = Segment(
        qn=got["qn"],
        st=got.get("st", ""),
        cn=0,
        pw=got.get("pw", ""),
        mn=got.get("mn", ""),
        flag=number if number >> 2 in VERSIONS else None,
    )
    if "flag" in got and not number & ANSWER_WANTED:
        return None
    known = Refusal(cause) if cause in set(Refusal) else None
    code = verdict(heard, us) or _CAUSES.get(known, QnRtn.UNKNOWN)  # type: ignore[arg-type]
    return answer(heard, code, us.version)


def answer(heard: Segment, code: QnRtn, version: int) -> Segment:
    """9011: whether it will be done."""
    return _reply(heard, _REQUEST_ANSWER, version, (("QnRtn", str(int(code))),))


def result(heard: Segment, code: ExeRtn, version: int) -> Segment:
    """9012: how it went."""
    return _reply(heard, _RESULT, version, (("ExeRtn", str(int(code))),))


def noticed(heard: Segment, version: int) -> Segment:
    """9013: a notice came in."""
    return _reply(heard, _NOTICE_ANSWER, version, ())


def _reply(
    heard: Segment, cn: int, version: int, item: tuple[tuple[str, str], ...]
) -> Segment:
    return Segment(
        qn=heard.qn,
        st=SYSTEM_INTERACTION,
        cn=cn,
        pw=heard.pw,
        mn=heard.mn,
        flag=flag(version, answer=False),
        items=(item,) if item else (),
    )
