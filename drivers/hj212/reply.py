"""The one thing we ever say to an instrument: that its frame came in.

9014 answers data, 9013 answers notices, and only where the frame asked (Flag bit 0).
No command is sent, whatever comes: not the time that 1013 asks for, nor anything else.

Source: HJ 212-2017, 6.1, 6.5 and C.4, C.14: QN is repeated, ST=91, ``CP=&&&&``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.hj212 import commands
from drivers.hj212.build import encode, flag
from drivers.hj212.frame import pack
from drivers.hj212.segment import Segment

if TYPE_CHECKING:
    from drivers.hj212.segment import Segment as Heard


def wants_reply(heard: Heard) -> bool:
    """Whether an instrument waits for a word of ours."""
    sent_by_itself = commands.UPLOADS | commands.NOTICE_ANSWERED
    return heard.wants_answer and heard.cn in sent_by_itself


def reply_to(heard: Heard) -> bytes | None:
    """The frame that confirms this one; None where none is wanted, or none can be."""
    if not wants_reply(heard) or heard.qn is None:
        return None
    notice = heard.cn in commands.NOTICE_ANSWERED
    answer = Segment(
        qn=heard.qn,
        st=commands.SYSTEM_INTERACTION,
        cn=commands.NOTICE_ANSWER if notice else commands.DATA_ANSWER,
        pw=heard.pw,
        mn=heard.mn,
        flag=flag(heard.version, answer=False),
    )
    return pack(encode(answer))
