"""What happens to a text by the last four digits of its number; every other number is delivered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Manner(StrEnum):
    """How the submission is answered."""

    TAKE = "take"
    REFUSE = "refuse"  # always, with `status`
    AT_FIRST = "at_first"  # with `status` for `times` tries of the number, then taken
    CUT = "cut"  # taken; the connection is cut before the answer
    LOSE = "lose"  # the same, but not taken
    MUTE = "mute"  # taken, no answer
    DEAF = "deaf"  # neither taken nor answered
    LATE = "late"  # taken, answered after `seconds`
    GARBAGE = "garbage"  # taken, answered, then octets that are no SMPP


class Telling(StrEnum):
    """How the receipt comes."""

    ONCE = "once"
    NEVER = "never"
    TWICE = "twice"
    EARLY = "early"  # before the answer to the submission
    STEPS = "steps"  # ENROUTE and ACCEPTD before the last one
    NO_ID = "no_id"
    UNMARKED = "unmarked"  # without its esm_class
    TLV_ONLY = "tlv_only"  # no text
    SECOND_FAILS = "second_fails"  # of a long text; its first part arrives


@dataclass(frozen=True)
class Fate:
    """One line of the table."""

    what: str
    manner: Manner = Manner.TAKE
    status: int = 0
    times: int = 1
    seconds: float | None = None
    """Of LATE: until the answer; else until the receipt."""
    telling: Telling = Telling.ONCE
    state: str = "DELIVRD"
    error: str = "000"
    reply: str = ""


LONG_REPLY = "你好，我收到了，谢谢！请问你们明天几点开门？" * 5
DELIVERED = Fate("delivered 已送达")
FATES = {
    "9001": Fate("no such number 空号", state="UNDELIV", error="MK:0001"),
    "9002": Fate("switched off 关机", state="UNDELIV", error="MK:0012"),
    "9003": Fate("blacklist 黑名单", state="REJECTD", error="MA:0001"),
    "9004": Fate("keyword 关键字", state="REJECTD", error="KEYWORD"),
    "9005": Fate("suspended 停机", state="UNDELIV", error="MK:0004"),
    "9006": Fate("out of area 不在服务区", state="UNDELIV", error="MI:0055"),
    "9007": Fate("the carrier gave it up 超时", state="EXPIRED", error="011"),
    "9010": Fate("throttled twice, then taken 限速", Manner.AT_FIRST, status=0x58, times=2),
    "9011": Fate("queue full once, then taken 队列已满", Manner.AT_FIRST, status=0x14),
    "9012": Fate("number refused 号码被拒", Manner.REFUSE, status=0x0B),
    "9013": Fate("system error once, then taken 系统错误", Manner.AT_FIRST, status=0x08),
    "9014": Fate("a code of the carrier's own, once 自定义错误", Manner.AT_FIRST, status=0x0401),
    "9015": Fate("taken, connection cut before the answer 断线", Manner.CUT),
    "9016": Fate("not taken, connection cut before the answer 断线丢失", Manner.LOSE),
    "9017": Fate("taken, no answer 不应答", Manner.MUTE),
    "9018": Fate("not taken, no answer 不应答丢失", Manner.DEAF),
    "9019": Fate("answered after 5 s 应答慢", Manner.LATE, seconds=5.0),
    "9020": Fate("no receipt ever 无回执", telling=Telling.NEVER),
    "9021": Fate("receipt twice 重复回执", telling=Telling.TWICE),
    "9022": Fate("receipt with an unknown state 未知状态", state="STRANGE", error="777"),
    "9023": Fate("receipt before the answer 回执先到", telling=Telling.EARLY),
    "9024": Fate("receipt after 20 s 回执慢", seconds=20.0),
    "9025": Fate("receipt without id 回执无编号", telling=Telling.NO_ID),
    "9026": Fate("ENROUTE, ACCEPTD, then DELIVRD 中间状态", telling=Telling.STEPS),
    "9027": Fate("receipt without its esm_class 回执无标记", telling=Telling.UNMARKED),
    "9028": Fate("second part fails 第二段失败", telling=Telling.SECOND_FAILS),
    "9029": Fate("receipt in parameters only 仅参数回执", telling=Telling.TLV_ONLY),
    "9031": Fate("replies TD 回复 TD", reply="TD"),
    "9032": Fate("replies R 回复 R", reply="R"),
    "9033": Fate("replies 退订", reply="退订"),
    "9034": Fate("replies hello 回复 hello", reply="hello"),
    "9035": Fate("a reply in three parts 长回复", reply=LONG_REPLY),
    "9040": Fate("taken, then garbage on the line 乱码", Manner.GARBAGE),
}


def fate_of(phone: str) -> Fate:
    """By the last four digits."""
    return FATES.get(phone[-4:], DELIVERED)


def table() -> list[tuple[str, str]]:
    """(last four digits, what happens)."""
    return [(digits, fate.what) for digits, fate in FATES.items()] + [("others", DELIVERED.what)]
