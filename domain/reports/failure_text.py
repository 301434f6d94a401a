"""Failure notices that only people were meant to read: who failed, and why.

`flufl.bounce` knows the texts of many servers. It gives addresses only, so the words about them are looked up here; and
for servers that it does not know, an address beside an SMTP reply in a mail from a machine has to do.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from email.message import Message
from itertools import islice

from flufl.bounce import all_failures

from domain.outcomes import bounded
from domain.reports.diagnosis import CODE, STATUS, address_of, code_in, status_in
from domain.reports.evidence import addresses
from domain.reports.mime import Fields, Part
from domain.reports.words import Reported

LINES = 400
LINE_CHARACTERS = 300
TEXTS = 4
FLUFL_LINE, FLUFL_CHARACTERS = 200, 12_000
"""flufl.bounce tries some hundred expressions on each line, and some of them are slow on long ones."""
RECIPIENTS = 20
_AFTER = 8
"""Lines behind an address in which its reason may stand."""

_MACHINE = re.compile(
    r"^(?:mailer[-_.]?daemon|mail[-_.]?daemon|postmaster|mdaemon|mail-?delivery|mailerdaemon|bounces?|no-?reply-dsn"
    r"|microsoftexchange[0-9a-f]*|system|smtp[-_.]?daemon|mailsystem|mmdf|delivery)\b",
    re.IGNORECASE,
)
_FAILURE = re.compile(
    r"^(?!(?:re|fwd?|aw|wg|sv|tr|回复|答复|转发|回覆|轉寄)\s*[:：])"
    r".{0,80}?(?:undeliver|delivery (?:status|failure|has failed|problem|report|delayed)|delivery to .{0,80} failed"
    r"|failure notice|returned mail|returned to sender|return(?:ing|ed) message|mail delivery|not delivered"
    r"|could not (?:be )?(?:deliver|send)|non-?delivery|nondeliverable|failed (?:mail|delivery)"
    r"|message (?:status|failed)"
    r"|(?:delivery|mail|message|sending) fail|delayed mail|unzustellbar|nicht zugestellt|non remis|no entregado"
    r"|退信|退回|无法投递|無法投遞|投递失败|投遞失敗|未送达|未送達|发送失败|無法傳遞|未能送达"
    r"|配信(?:不能|エラー|できません)|送信エラー|エラーメール|недоставлен)",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"has been delayed|delivery (?:is )?delayed|delayed mail|still (?:being )?(?:retried|trying)|not yet been delivered"
    r"|will (?:be retried|keep trying|continue to try|try again)|warning: (?:could not|message)|no action is required"
    r"|延迟|延遲|继续(?:尝试|重试|投递)|繼續嘗試|仍在尝试|[将会].{0,8}重试",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"^\W{0,60}(?:(?:below (?:this line|the next line) is|this is) a copy of|original message|returned (?:mail|message)"
    r"|(?:the )?(?:message )?headers? (?:of the original )?follow|unsent message|message header|forwarded message"
    r"|included is a copy|原始邮件|原邮件|原信|元のメッセージ)",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s{0,4}[-=*_]{3}")
_OTHER_FIELD = re.compile(
    r"[\s>]{0,20}(?:\S{0,20}-?ID|references|in-reply-to|return-path|from|reply-to|sender)\s?:", re.IGNORECASE
)
"""A line of a header in which no recipient stands."""


def from_machine(fields: Fields) -> bool:
    """Whether a mail calls itself a server's: by its sender, an empty return path, Exim's field, or its subject.

    People write about bounces, too, so a subject needs the mark of an automatic mail beside it.
    """
    is_automatic = fields.first("auto-submitted").strip().lower() not in ("", "no")
    return bool(
        _MACHINE.match(_sender(fields))
        or fields.first("x-failed-recipients")
        or fields.first("return-path").strip() == "<>"
        or (is_automatic and _FAILURE.match(fields.text("subject").strip()))
    )


def _sender(fields: Fields) -> str:
    return next(iter(addresses(fields.text("from"))), "")


def calls_itself_failure(fields: Fields) -> bool:
    """Whether a mail's subject speaks of a mail that was not delivered."""
    return bool(fields.first("x-failed-recipients") or _FAILURE.match(fields.text("subject").strip()))


def people_texts(parts: Sequence[Part]) -> list[str]:
    """The first texts for people, plain ones before others, each up to where a copy of the mail begins."""
    texts = [part for part in parts if part.type in ("text/plain", "text/html")][:TEXTS]
    return ["\n".join(_before_copy(part.text)) for part in sorted(texts, key=lambda part: part.type != "text/plain")]


def read_known(parts: Sequence[Part], words: Sequence[str]) -> tuple[Reported, ...]:
    """What flufl.bounce recognises, with the words about each address."""
    try:
        delayed, failed = all_failures(_plain_copy(parts, words))
    except (ValueError, LookupError, TypeError, AttributeError):  # heuristics of twenty servers on a stranger's text
        return ()
    found = [(raw, "failed") for raw in sorted(failed)] + [(raw, "delayed") for raw in sorted(delayed)]
    named = [(address_of(raw.decode("ascii", "replace")), action) for raw, action in found[:RECIPIENTS]]
    return tuple(_reported(address, action, words) for address, action in named if address)


def read_unknown(fields: Fields, words: Sequence[str]) -> tuple[Reported, ...]:
    """Addresses beside a reply, or the first address, in a failure notice of a server that nobody knows."""
    text = "\n".join(words)
    action = "delayed" if is_delayed(fields, words) else "failed"
    own = {address.lower() for name in ("from", "to", "reply-to") for address in addresses(fields.text(name))}
    near = [each for each in _named(text) if each.lower() not in own]
    found = tuple(_final(_reported(each, action, words)) for each in near)
    coded = tuple(each for each in found if each.code or each.status)
    return coded or (found[:1] if calls_itself_failure(fields) else ())


def _final(found: Reported) -> Reported:
    """A permanent code is a failure, whatever a text says of trying again (RFC 5321 §4.2.1)."""
    is_permanent = found.code >= 500 or found.status.startswith("5")
    return replace(found, action="failed") if is_permanent else found


def is_delayed(fields: Fields, words: Sequence[str]) -> bool:
    return any(_DELAYED.search(text) for text in (fields.text("subject"), *words))


def reason_near(text: str, address: str) -> str:
    """The words about an address: the reply beside it, else the paragraph behind it; empty when it is not named."""
    lines = text.split("\n")[:LINES]
    for at, line in enumerate(lines):
        if address and address.lower() in line.lower():
            return _reply(lines[at : at + _AFTER], address) or _paragraph(lines[at:], address)
    return "" if address else _reply(lines, address)


def _reply(lines: list[str], address: str) -> str:
    for at, line in enumerate(lines):
        if at and _names_another(line, address):
            break
        if STATUS.search(line) or CODE.search(line.strip()):
            return _from_reply(" ".join((line, *_continued(lines[at + 1 :], address))), address)
    return ""


def _from_reply(text: str, address: str) -> str:
    """From the code on, when words of the reporting server stand before it."""
    if code := CODE.search(text):
        return text[max(code.start("code"), code.start("exact")) :].strip()
    status = STATUS.search(text)
    is_behind = status is not None and text.lower().find(address.lower()) < status.start()
    return _without(text, address) if is_behind else text.strip()


def _paragraph(lines: list[str], address: str) -> str:
    first = _without(lines[0], address)
    rest = lines[1:]
    if not first:
        rest = list(islice((line for line in rest[:3] if line.strip()), 1)) + rest[3:3]
        return " ".join(line.strip() for line in rest)
    return " ".join((first, *_continued(rest, address)))


def _continued(lines: list[str], address: str) -> Iterator[str]:
    for line in lines[:4]:
        if not line.strip() or _RULE.match(line) or _names_another(line, address):
            return
        yield line.strip()


def _names_another(line: str, address: str) -> bool:
    return bool(address) and any(each.lower() != address.lower() for each in addresses(line[:LINE_CHARACTERS]))


def _without(line: str, address: str) -> str:
    place = line.lower().find(address.lower()) if address else -1
    rest = line if place < 0 else line[place + len(address) :]
    return rest.strip().lstrip(">)]:,;：）").strip()


def _named(text: str) -> list[str]:
    lines = [line for line in text.split("\n")[:LINES] if "@" in line and not _OTHER_FIELD.match(line)]
    found = (address_of(each) for line in lines for each in addresses(line[: 4 * LINE_CHARACTERS]))
    return list(islice(dict.fromkeys(each for each in found if each), RECIPIENTS))


def _reported(address: str, action: str, words: Sequence[str]) -> Reported:
    reason = next((found for text in words if (found := reason_near(text, address))), "")
    return Reported(address, action, status_in(reason), code_in(reason), bounded(reason))


def _before_copy(text: str) -> Iterator[str]:
    for line in text.split("\n")[:LINES]:
        if _COPY.match(line[:LINE_CHARACTERS]):
            return
        yield line.rstrip("\r")


def _plain_copy(parts: Sequence[Part], words: Sequence[str]) -> Message:
    """The mail as flufl.bounce shall see it: a few fields and ASCII text, of bounded size."""
    root = parts[0]
    copy = Message()
    copy["From"] = _ascii(_sender(root.fields)).strip() or "unknown@unknown.invalid"  # some detectors fail without
    for name in ("Subject", "X-Mailer", "X-Failed-Recipients"):
        if value := root.fields.text(name.lower()):
            copy[name] = _ascii(value[:1000].replace("\r", " ").replace("\n", " "))
    if root.type.startswith("multipart/"):
        copy["Content-Type"] = "multipart/mixed" if root.type == "multipart/mixed" else "multipart/report"
        copy.set_payload([_text_part(text) for text in words] or [_text_part("")])
    else:
        copy.set_payload(_slim(words[0] if words else ""))
    return copy


def _text_part(text: str) -> Message:
    part = Message()
    part["Content-Type"] = "text/plain"
    part["Content-Description"] = "Notification"
    part.set_payload(_slim(text))
    return part


def _slim(text: str) -> str:
    lines = (line[:FLUFL_LINE] for line in text.split("\n")[:LINES])
    return _ascii("\n".join(lines)[:FLUFL_CHARACTERS]) + "\n"


def _ascii(text: str) -> str:
    """What is beyond ASCII becomes a space, which no address survives: a wrong one would be worse than none."""
    return re.sub(r"[^\t\n\x20-\x7e]", " ", text)
