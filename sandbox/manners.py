"""How a mailbox provider treats an address: scripted rules, then magic local parts, else it accepts."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class Action(StrEnum):
    """What a rule makes a provider do."""

    ACCEPT = "accept"  # take the mail, whatever the local part says
    GREYLIST = "greylist"  # 450 at RCPT until `seconds` after the first try
    THROTTLE = "throttle"  # the provider's rate-limit text at RCPT for `times` tries
    UNKNOWN = "unknown"  # 550 5.1.1 at RCPT
    FULL = "full"  # 552 5.2.2 at RCPT
    FULLTEMP = "fulltemp"  # 452 4.2.2 at RCPT for `times` tries
    BLOCKED = "blocked"  # the provider's content-filter text after the final dot
    REPLY = "reply"  # `text` at `stage`
    DROP = "drop"  # keep the mail, close the connection after the final dot without a reply
    LOST = "lost"  # the same, but the mail is gone
    HANG = "hang"  # answer the final dot only after `seconds`
    SLOW = "slow"  # answer RCPT after `seconds`
    DOWN = "down"  # close every connection at once
    # Taken as usual; what the recipient's side sends back comes `seconds` later.
    LATEBOUNCE = "latebounce"  # a failure report, no such user
    LATEFULL = "latefull"  # a delay report, and after as long again a failure report, mailbox full
    COMPLAIN = "complain"  # the recipient calls it spam: a feedback report
    VACATION = "vacation"  # an automatic answer
    ANSWER = "answer"  # an ordinary reply to the sender


class Stage(StrEnum):
    """When a ``reply`` rule speaks."""

    CONNECT = "connect"
    RCPT = "rcpt"
    DATA = "data"


@dataclass(frozen=True)
class Rule:
    """One line of a script.

    ``match`` is a shell pattern over the whole address (``*``, ``vip-*@qq.com``); ``times`` counts tries per
    recipient and envelope sender (at RCPT) or Message-ID (at DATA), None means always; ``seconds`` is a wait.
    """

    match: str
    action: Action
    text: str = ""
    times: int | None = None
    seconds: float | None = None
    stage: Stage = Stage.RCPT


@dataclass(frozen=True)
class Wording:
    """The replies of one provider, as its senders know them."""

    greylist: str
    throttle: str
    unknown: str
    full: str
    fulltemp: str
    blocked: str


@dataclass(frozen=True)
class Verdict:
    """What to do now: wait, then close, or say ``reply``, or (both empty) go on as usual."""

    reply: str = ""
    wait: float = 0.0
    close: bool = False
    keep: bool = True


MAGIC: dict[str, tuple[Action, str, str]] = {
    "greylist": (
        Action.GREYLIST,
        "450 at the first try; accepted 2 s later (greylist+10@: 10 s later)",
        "首次返回 450，2 秒后再投即收下（greylist+10@：10 秒后）",
    ),
    "throttle": (
        Action.THROTTLE,
        "the provider's rate-limit text for 2 tries (throttle+5@: 5 tries), then accepted",
        "前 2 次返回该服务商的限频文本（throttle+5@：5 次），之后收下",
    ),
    "unknown": (Action.UNKNOWN, "550 5.1.1, no such user", "550 5.1.1，用户不存在"),
    "nouser": (Action.UNKNOWN, "the same as unknown", "同 unknown"),
    "full": (Action.FULL, "552 5.2.2, mailbox full", "552 5.2.2，邮箱已满"),
    "fulltemp": (
        Action.FULLTEMP,
        "452 4.2.2 for 2 tries (fulltemp+N@), then accepted",
        "前 2 次返回 452 4.2.2（fulltemp+N@ 可改次数），之后收下",
    ),
    "blocked": (Action.BLOCKED, "content refused after the final dot", "结束点之后因内容被拒"),
    "drop": (
        Action.DROP,
        "mail kept, connection closed after the final dot without a reply; once per Message-ID",
        "邮件已保存，但结束点之后不回复即断开；每个 Message-ID 一次",
    ),
    "lost": (
        Action.LOST,
        "the same, but the mail is not kept; once per Message-ID",
        "同上，但邮件未保存；每个 Message-ID 一次",
    ),
    "hang": (
        Action.HANG,
        "mail kept, no answer to the final dot for 30 s (hang+5@: 5 s); once per Message-ID",
        "邮件已保存，结束点之后 30 秒不回复（hang+5@：5 秒）；每个 Message-ID 一次",
    ),
    "slow": (Action.SLOW, "RCPT answered after 3 s (slow+N@)", "RCPT 3 秒后才回复（slow+N@）"),
    "latebounce": (
        Action.LATEBOUNCE,
        "accepted; 2 s later (latebounce+N@) a failure report to the return path: no such user",
        "收下；2 秒后（latebounce+N@）向退信地址发退信：用户不存在",
    ),
    "latefull": (
        Action.LATEFULL,
        "accepted; 2 s later (latefull+N@) a delay report, then a failure report: mailbox full",
        "收下；2 秒后（latefull+N@）先发延迟通知，再发退信：邮箱已满",
    ),
    "complain": (
        Action.COMPLAIN,
        "accepted; 2 s later (complain+N@) the recipient reports it as spam: a feedback report to the return path",
        "收下；2 秒后（complain+N@）收件人举报垃圾邮件：向退信地址发投诉报告",
    ),
    "vacation": (
        Action.VACATION,
        "accepted; 2 s later (vacation+N@) an out-of-office reply to the return path",
        "收下；2 秒后（vacation+N@）向退信地址发休假自动回复",
    ),
    "answer": (
        Action.ANSWER,
        "accepted; 2 s later (answer+N@) a reply to the author, else to the return path if no server takes it",
        "收下；2 秒后（answer+N@）收件人普通回复发件人；其域名不收信时回复退信地址",
    ),
}
_MAGIC_PATTERN = re.compile(rf"({'|'.join(sorted(MAGIC, key=len, reverse=True))})(?:\+(\d{{1,3}}))?(?=$|[-\d._+])")
_DEFAULT_TIMES = {
    Action.THROTTLE: 2,
    Action.FULLTEMP: 2,
    Action.DROP: 1,
    Action.LOST: 1,
    Action.HANG: 1,
}
AFTERWARDS = frozenset({Action.LATEBOUNCE, Action.LATEFULL, Action.COMPLAIN, Action.VACATION, Action.ANSWER})
"""What happens once a mail was taken."""
_DEFAULT_SECONDS = {Action.GREYLIST: 2.0, Action.HANG: 30.0, Action.SLOW: 3.0} | dict.fromkeys(AFTERWARDS, 2.0)
_AT_DATA = frozenset({Action.BLOCKED, Action.DROP, Action.LOST, Action.HANG})
_AT_RCPT = frozenset(Action) - _AT_DATA - AFTERWARDS


def magic_rule(recipient: str) -> Rule | None:
    """The rule a local part asks for: a word of MAGIC, maybe ``+N``, then the end, a digit or ``-._+``."""
    local = recipient.rpartition("@")[0].lower()
    found = _MAGIC_PATTERN.match(local)
    if found is None:
        return None
    action = MAGIC[found[1]][0]
    number = int(found[2]) if found[2] else None
    if number is not None and action in (Action.THROTTLE, Action.FULLTEMP):
        return Rule(recipient, action, times=number)
    return Rule(recipient, action, seconds=number)


@dataclass
class Tries:
    """How often something was tried and when first; the oldest entries go when there are too many."""

    limit: int = 100_000
    _seen: OrderedDict[Hashable, tuple[int, float]] = field(default_factory=OrderedDict)

    def count(self, key: Hashable, now: float) -> tuple[int, float]:
        """Count one more try; returns the number of tries, this one included, and the time of the first."""
        tries, first = self._seen.pop(key, (0, now))
        self._seen[key] = (tries + 1, first)
        if len(self._seen) > self.limit:
            self._seen.popitem(last=False)
        return tries + 1, first

    def forget(self, key: Hashable) -> None:
        """Start from zero for ``key``."""
        self._seen.pop(key, None)


class Manners:
    """The behaviour of one provider; the script can be replaced at any time."""

    def __init__(self, wording: Wording) -> None:
        self.wording = wording
        self.script: tuple[Rule, ...] = ()
        self._tries = Tries()

    def replace(self, script: tuple[Rule, ...]) -> None:
        """Install a script and forget all counted tries."""
        self.script = script
        self._tries = Tries()

    def at_connect(self) -> Verdict:
        """Whether a client is greeted at all."""
        for rule in self.script:
            if rule.action is Action.DOWN:
                return Verdict(close=True)
            if rule.action is Action.REPLY and rule.stage is Stage.CONNECT:
                return Verdict(reply=rule.text)
        return Verdict()

    def at_rcpt(self, recipient: str, sender: str, now: float) -> Verdict:
        """The answer to RCPT TO; ``now`` is any clock in seconds that never goes back."""
        rule = self._rule_for(recipient)
        if rule is None or rule.action not in _AT_RCPT or rule.stage is Stage.DATA:
            return Verdict()
        if rule.action is Action.SLOW:
            return Verdict(wait=_seconds(rule))
        if rule.action is Action.GREYLIST:
            return self._greylist(rule, (recipient.lower(), sender), now)
        if not self._still(rule, (recipient.lower(), sender), now):
            return Verdict()
        return Verdict(reply=self._text(rule))

    def at_data(self, recipients: list[str], message_id: str, now: float) -> Verdict:
        """What happens after the final dot; the first recipient with a rule for this moment decides."""
        for recipient in recipients:
            rule = self._rule_for(recipient)
            if rule is None or not (rule.action in _AT_DATA or rule.stage is Stage.DATA):
                continue
            if not self._still(rule, (recipient.lower(), "data", message_id), now):
                continue
            if rule.action is Action.HANG:
                return Verdict(wait=_seconds(rule))
            if rule.action in (Action.DROP, Action.LOST):
                return Verdict(close=True, keep=rule.action is Action.DROP)
            return Verdict(reply=self._text(rule), keep=False)
        return Verdict()

    def afterwards(self, recipient: str, now: float) -> tuple[Action, float] | None:
        """What a recipient's side does once it has the mail, and after how many seconds."""
        rule = self._rule_for(recipient)
        if rule is None or rule.action not in AFTERWARDS or not self._still(rule, (recipient.lower(), "after"), now):
            return None
        return rule.action, _seconds(rule)

    def _rule_for(self, recipient: str) -> Rule | None:
        address = recipient.lower()
        for rule in self.script:
            if rule.stage is not Stage.CONNECT and fnmatchcase(address, rule.match.lower()):
                return rule if rule.action is not Action.ACCEPT else None
        return magic_rule(recipient)

    def _greylist(self, rule: Rule, key: Hashable, now: float) -> Verdict:
        tries, first = self._tries.count(key, now)
        if tries > 1 and now - first >= _seconds(rule):
            # Forgotten once passed, so that the next message is grey-listed again and a demo can be repeated.
            self._tries.forget(key)
            return Verdict()
        return Verdict(reply=self.wording.greylist)

    def _still(self, rule: Rule, key: Hashable, now: float) -> bool:
        times = rule.times if rule.times is not None else _DEFAULT_TIMES.get(rule.action)
        if times is None:
            return True
        tries, _ = self._tries.count(key, now)
        if tries <= times:
            return True
        if rule.action in _AT_RCPT and rule.stage is not Stage.DATA:
            self._tries.forget(key)
        return False

    def _text(self, rule: Rule) -> str:
        if rule.action is Action.REPLY:
            return rule.text
        return str(getattr(self.wording, rule.action.value))


def _seconds(rule: Rule) -> float:
    return rule.seconds if rule.seconds is not None else _DEFAULT_SECONDS[rule.action]
