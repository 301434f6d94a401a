"""The typed parts of a certification, one check each: what is stored is normalised, what is wrong is refused by name.

Sources: GB 11643-1999 (identity numbers, ISO 7064 MOD 11-2), GB 32100-2015 (social credit codes, MOD 31), MIIT's form
of ICP filing numbers. Nothing here asks anybody: whether a filing exists is for the reviewer to see.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from stdnum.cn import ric, uscc
from stdnum.exceptions import ValidationError

from domain.certification import LONG_TERM, CertificationKind, Part, Typed, require_part
from domain.domains import public_name
from domain.errors import Refusal

MAX_TEXT = 100
MAX_REASON_TEXT = 500
MAX_URL = 200
_LONG_TERM = frozenset({"长期", "长期有效", "long-term", "longterm", "long term"})
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
FILING = re.compile(rf"[{PROVINCES}]ICP备(\d{{8}}|\d{{10}})号(-\d{{1,4}}[A-Z]?)?")
"""`鄂ICP备12012345号-1`."""
LICENCE = re.compile(rf"[{PROVINCES}]ICP证(B\d-)?(\d{{6}}|\d{{8}})号")
"""`京ICP证030173号`, for those who run a commercial information service."""
_CODE = re.compile(r"[0-9A-HJ-NP-RTUWXY]{2}\d{6}[0-9A-HJ-NP-RTUWXY]{10}")
_DASHES = re.compile(r"[‐-―−﹣－]")
_ODD = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OLDEST = dt.date(1890, 1, 1)


def clean(kind: CertificationKind, given: Mapping[str, str], today: dt.date) -> dict[Part, str]:
    """Every part that is given, as it is stored. Raises `Refusal` with the part's name as field."""
    return {part: clean_part(part, text, today) for part, text in _known(kind, given).items()}


def _known(kind: CertificationKind, given: Mapping[str, str]) -> dict[Part, str]:
    return {require_part(kind, name): text for name, text in given.items()}


def clean_part(part: Part, text: str, today: dt.date) -> str:
    """One part as it is stored; blank stays blank: it was not given, or is taken back."""
    plain = unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()
    if not plain:
        return ""
    if part is Part.VALID_UNTIL:
        return _valid_until(plain, today)
    if part is Part.ID_NUMBER:
        return _id_number(plain, today)
    return _CHECKS[part](plain)


def _refuse(part: Part, code: str, **params: object) -> Refusal:
    return Refusal(code, field=part.value, **params)


def _narrow(text: str) -> str:
    """Full-width characters as ASCII, without any white space."""
    return re.sub(r"\s+", "", _DASHES.sub("-", unicodedata.normalize("NFKC", text)))


def _person(part: Part) -> Callable[[str], str]:
    def check(text: str) -> str:
        name = " ".join(text.split())
        if len(name) < 2 or len(name) > MAX_TEXT or _ODD.search(name) or not any(c.isalpha() for c in name):
            raise _refuse(part, "certification_bad_name", limit=MAX_TEXT)
        return name

    return check


def _id_number(text: str, today: dt.date) -> str:
    number = _narrow(text).upper()
    if not re.fullmatch(r"[0-9]{17}[0-9X]", number):
        raise _refuse(Part.ID_NUMBER, "id_number_malformed")
    try:
        born = ric.get_birth_date(number)
    except ValidationError as error:
        raise _refuse(Part.ID_NUMBER, "id_number_birth_date") from error
    if not _OLDEST <= born <= today:
        raise _refuse(Part.ID_NUMBER, "id_number_birth_date")
    if ric.calc_check_digit(number) != number[-1]:
        raise _refuse(Part.ID_NUMBER, "id_number_check_digit")
    return number


def _uscc(text: str) -> str:
    code = _narrow(text).upper()
    if not _CODE.fullmatch(code):
        raise _refuse(Part.USCC, "uscc_malformed")
    if uscc.calc_check_digit(code[:17]) != code[-1]:
        raise _refuse(Part.USCC, "uscc_check_digit")
    return code


def _icp(text: str) -> str:
    number = re.sub("icp", "ICP", _narrow(text), flags=re.IGNORECASE)
    number = re.sub(r"[a-z]$", lambda last: last[0].upper(), number)
    if not (FILING.fullmatch(number) or LICENCE.fullmatch(number)):
        raise _refuse(Part.ICP_NUMBER, "icp_malformed")
    return number


def _website(text: str) -> str:
    """`https://host/path`: an http(s) URL with a public host name; what is no URL is taken for a host."""
    written = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(written)
        host, port = public_name(parts.hostname or ""), parts.port
    except (ValueError, Refusal) as error:
        raise _refuse(Part.WEBSITE, "website_malformed") from error
    odd = parts.scheme.lower() not in ("http", "https") or parts.username or re.search(r"[\s@<>\"]", written)
    if odd or len(written) > MAX_URL or _ODD.search(written):
        raise _refuse(Part.WEBSITE, "website_malformed")
    path = parts.path.rstrip("/")
    return f"{parts.scheme.lower()}://{host}{f':{port}' if port else ''}{path}"


def _reason(text: str) -> str:
    if len(text) > MAX_REASON_TEXT or _ODD.search(text.replace("\n", " ")):
        raise _refuse(Part.NO_WEBSITE_REASON, "certification_text_too_long", limit=MAX_REASON_TEXT)
    if len(text) < 10:
        raise _refuse(Part.NO_WEBSITE_REASON, "certification_reason_too_short")
    return text


def _valid_until(text: str, today: dt.date) -> str:
    if text.lower() in _LONG_TERM:
        return LONG_TERM
    day = _narrow(text).replace("/", "-").replace(".", "-")
    try:
        until = dt.date.fromisoformat(day) if _DATE.fullmatch(day) else None
    except ValueError:
        until = None
    if until is None or until.year > today.year + 100:
        raise _refuse(Part.VALID_UNTIL, "valid_until_malformed")
    if until < today:
        raise _refuse(Part.VALID_UNTIL, "valid_until_past", day=until.isoformat())
    return until.isoformat()


_CHECKS: Mapping[Part, Callable[[str], str]] = {
    Part.NAME: _person(Part.NAME),
    Part.CONTACT_NAME: _person(Part.CONTACT_NAME),
    Part.USCC: _uscc,
    Part.WEBSITE: _website,
    Part.ICP_NUMBER: _icp,
    Part.NO_WEBSITE_REASON: _reason,
}


def warnings(typed: Typed) -> list[Part]:
    """What a reviewer should look at twice: an identity number whose region the library's table does not know."""
    number = typed.get(Part.ID_NUMBER, "")
    if not number:
        return []
    try:
        ric.get_birth_place(number)
    except ValidationError:
        return [Part.ID_NUMBER]
    return []
