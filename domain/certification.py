"""Certification of a person or a company (seed 2.4, 3.1): what is handed in, what is checked, what it ends as."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Refusal
from domain.masking import mask_number, mask_person

RENEW_WITHIN = dt.timedelta(days=60)
"""A certification that ends so soon may be applied for again."""
MAX_OBJECTION = 500
"""Characters of a reviewer's reason for one part."""
LONG_TERM = "long-term"
"""The `VALID_UNTIL` of a document without an end: said, never assumed."""


class CertificationKind(StrEnum):
    INDIVIDUAL = "individual"
    ENTERPRISE = "enterprise"


class CertificationState(StrEnum):
    """`REVOKED`: an operator took an approval back, with a reason."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"


class Part(StrEnum):
    """One part of an application that a reviewer judges, and gives a reason for, by itself."""

    NAME = "name"
    """Of the person; of an enterprise, the company as on its licence."""
    ID_NUMBER = "id_number"
    """18 characters, GB 11643; of an enterprise, of its legal representative or handler."""
    USCC = "uscc"
    """Unified social credit code, GB 32100; enterprises only."""
    CONTACT_NAME = "contact_name"
    """Whose identity number it is; enterprises only."""
    WEBSITE = "website"
    ICP_NUMBER = "icp_number"
    NO_WEBSITE_REASON = "no_website_reason"
    """Instead of the two above: then support decides (seed 2.4)."""
    VALID_UNTIL = "valid_until"
    """Last day of the licence or identity card, `YYYY-MM-DD`, or `LONG_TERM`."""
    LICENCE = "licence"
    ID_FRONT = "id_front"
    ID_BACK = "id_back"
    ICP_SCREENSHOT = "icp_screenshot"


DOCUMENT_PARTS = frozenset({Part.LICENCE, Part.ID_FRONT, Part.ID_BACK, Part.ICP_SCREENSHOT})
SITE_PARTS = (Part.WEBSITE, Part.ICP_NUMBER, Part.ICP_SCREENSHOT)
"""What belongs to a website; without one `NO_WEBSITE_REASON` stands for them."""
_WHO = {
    CertificationKind.INDIVIDUAL: (Part.NAME, Part.ID_NUMBER, Part.VALID_UNTIL, Part.ID_FRONT, Part.ID_BACK),
    CertificationKind.ENTERPRISE: (
        Part.NAME,
        Part.USCC,
        Part.CONTACT_NAME,
        Part.ID_NUMBER,
        Part.VALID_UNTIL,
        Part.LICENCE,
    ),
}
Typed = Mapping[Part, str]
"""What was typed; a part that is empty or absent was not given."""

PART_NAMES: Mapping[Part, tuple[str, str]] = {
    Part.NAME: ("姓名", "Name"),
    Part.ID_NUMBER: ("身份证号码", "Identity number"),
    Part.USCC: ("统一社会信用代码", "Unified social credit code"),
    Part.CONTACT_NAME: ("经办人姓名", "Handler's name"),
    Part.WEBSITE: ("网站", "Website"),
    Part.ICP_NUMBER: ("ICP 备案号", "ICP filing number"),
    Part.NO_WEBSITE_REASON: ("无网站说明", "Why there is no website"),
    Part.VALID_UNTIL: ("证件有效期至", "Valid until"),
    Part.LICENCE: ("营业执照", "Business licence"),
    Part.ID_FRONT: ("身份证人像面", "Identity card, side with the portrait"),
    Part.ID_BACK: ("身份证国徽面", "Identity card, side with the emblem"),
    Part.ICP_SCREENSHOT: ("备案查询截图", "Screenshot of the ICP filing"),
}
_OF_ENTERPRISES = {
    Part.NAME: ("企业名称", "Company name"),
    Part.ID_NUMBER: ("经办人身份证号码", "Handler's identity number"),
}


@dataclass(frozen=True)
class Held:
    """What an approved certification gives: of which kind, and until when (None: without end)."""

    kind: CertificationKind
    valid_until: dt.date | None


def parts_of(kind: CertificationKind) -> tuple[Part, ...]:
    """Every part that an application of this kind can have, in the order of its form."""
    return (*_WHO[kind], *SITE_PARTS, Part.NO_WEBSITE_REASON)


def part_name(part: Part, kind: CertificationKind, language: str) -> str:
    """What the part is called, in `zh` or `en`."""
    special = _OF_ENTERPRISES if kind is CertificationKind.ENTERPRISE else {}
    return special.get(part, PART_NAMES[part])[0 if language == "zh" else 1]


def last_day(typed: Typed) -> dt.date | None:
    """Of the document; None: it has no end, or nothing was said of it yet."""
    until = typed.get(Part.VALID_UNTIL)
    return dt.date.fromisoformat(until) if until and until != LONG_TERM else None


def is_exception(typed: Typed) -> bool:
    """Without a website, with a reason: support decides."""
    return bool(typed.get(Part.NO_WEBSITE_REASON)) and not typed.get(Part.WEBSITE)


def missing(kind: CertificationKind, typed: Typed, papers: Collection[Part]) -> list[Part]:
    """What must still be given before the application can be submitted, in the order of the form."""
    given = {part for part, text in typed.items() if text} | set(papers)
    site = () if is_exception(typed) else SITE_PARTS
    return [part for part in parts_of(kind) if part in (*_WHO[kind], *site) and part not in given]


def require_complete(kind: CertificationKind, typed: Typed, papers: Collection[Part]) -> None:
    """Raise the refusal that names what is missing, or what contradicts itself."""
    if typed.get(Part.NO_WEBSITE_REASON) and (typed.get(Part.WEBSITE) or typed.get(Part.ICP_NUMBER)):
        raise Refusal("certification_website_or_reason", field=Part.NO_WEBSITE_REASON.value)
    lacking = missing(kind, typed, papers)
    if lacking:
        names = {lang: [part_name(part, kind, lang) for part in lacking] for lang in ("zh", "en")}
        zh, en = "、".join(names["zh"]), ", ".join(names["en"])
        raise Refusal("certification_incomplete", field=lacking[0].value, zh=zh, en=en)


def require_part(kind: CertificationKind, name: str) -> Part:
    """The part of this name, if this kind of application has it."""
    if name not in {part.value for part in parts_of(kind)}:
        raise Refusal("certification_unknown_part", field=name[:40], kind=kind.value)
    return Part(name)


def check_objections(kind: CertificationKind, parts: Mapping[str, str]) -> dict[str, str]:
    """A reviewer's reasons, tidied; a blank one is none. Raises `Refusal` on a part that the application lacks."""
    reasons = {require_part(kind, name).value: text.strip() for name, text in parts.items()}
    for name, text in reasons.items():
        if len(text) > MAX_OBJECTION or "\x00" in text:
            raise Refusal("certification_bad_reason", field=name, limit=MAX_OBJECTION)
    return {name: text for name, text in reasons.items() if text}


def objections_in_words(kind: CertificationKind, parts: Mapping[str, str], language: str) -> str:
    """`Name: not as on the card; Business licence: too dark`, for mails."""
    colon, between = ("：", "；") if language == "zh" else (": ", "; ")
    ordered = [part for part in parts_of(kind) if part.value in parts]
    return between.join(f"{part_name(part, kind, language)}{colon}{parts[part.value]}" for part in ordered)


def masked(kind: CertificationKind, typed: Typed) -> dict[Part, str]:
    """What was typed, as anybody but the deciding operator sees it. A company's name is public, a person's is not."""
    hide = {Part.ID_NUMBER: mask_number, Part.USCC: mask_number, Part.CONTACT_NAME: mask_person}
    if kind is CertificationKind.INDIVIDUAL:
        hide[Part.NAME] = mask_person
    return {part: hide[part](text) if part in hide else text for part, text in typed.items() if text}


def require_needed(kind: CertificationKind, held: Collection[Held], today: dt.date) -> None:
    """Raise when a certification of this kind stands already and does not end soon."""
    for one in held:
        ends_soon = one.valid_until is not None and one.valid_until - today <= RENEW_WITHIN
        if one.kind is kind and not ends_soon:
            raise Refusal("certification_held", kind=kind.value)


def holds(one: Held, today: dt.date) -> bool:
    """Whether it still counts on this day (Asia/Shanghai)."""
    return one.valid_until is None or one.valid_until >= today
