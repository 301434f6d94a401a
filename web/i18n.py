"""Texts of the pages: the message ids are Chinese, English comes from `locales/en/*.po` (read as they are)."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from babel.messages.pofile import read_po
from starlette.requests import Request

LANGUAGES = {"zh": "中文", "en": "English"}
DEFAULT = "zh"
COOKIE = "lang"
LOCALES = Path(__file__).parent / "locales"

Translate = Callable[..., str]


def mark(text: str) -> str:
    """Names a message id outside of a request (imported as `_`, so that the extraction finds it)."""
    return text


@lru_cache(maxsize=1)
def english() -> dict[str, str]:
    """Every translated message of every feature. A test sees to it that no two files disagree."""
    merged: dict[str, str] = {}
    for path in sorted((LOCALES / "en").glob("*.po")):
        merged |= translations(path)
    return merged


def translations(path: Path) -> dict[str, str]:
    """The messages of one file that have a translation."""
    with path.open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file, locale="en") if entry.id and entry.string}


def translate(language: str, message: str, **params: object) -> str:
    """The text in that language, with `{name}` filled from `params`; an unknown message stays Chinese."""
    text = english().get(message, message) if language == "en" else message
    return text.format(**params) if params else text


def language_of(request: Request) -> str:
    """`?lang=`, else the cookie, else the first known language of Accept-Language, else Chinese."""
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if choice in LANGUAGES:
            return choice
    return _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> str:
    ranked: list[tuple[float, str]] = []
    for part in header.lower().split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = tag.partition("-")[0]
        if language in LANGUAGES:
            ranked.append((_weight(weight), language))
    return max(ranked, key=lambda choice: choice[0], default=(0.0, DEFAULT))[1]


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


def translator(request: Request) -> Translate:
    """`_` for the language of this request."""
    language = language_of(request)
    return lambda message, **params: translate(language, message, **params)
