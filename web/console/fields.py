"""Columns of the console's lists."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from babel.support import LazyProxy
from starlette.requests import Request
from starlette_admin.fields import BooleanField, DateTimeField, IntegerField, StringField
from starlette_admin.i18n import get_locale
from starlette_admin.types import RequestAction

from domain.billing import ASKED
from domain.money import plain_yuan, show_unit, show_yuan
from web.console.words import action as action_word
from web.i18n import mark as _
from web.i18n import translate


def lazy(message: str) -> Any:
    """A text of ours that is put into the operator's language when it is shown (mark it with `_` first)."""
    return LazyProxy(lambda: translate(_language(), message), enable_cache=False)


def _language() -> str:
    return "en" if get_locale() == "en" else "zh"


def text(name: str, label: str, **options: Any) -> StringField:
    """Words as they are."""
    return StringField(name, label=lazy(label), **options)


def number(name: str, label: str) -> IntegerField:
    """A count."""
    return IntegerField(name, label=lazy(label))


def yes_no(name: str, label: str) -> BooleanField:
    """True or false."""
    return BooleanField(name, label=lazy(label))


def moment(name: str, label: str) -> DateTimeField:
    """A time, in Asia/Shanghai."""
    return DateTimeField(name, label=lazy(label), output_format="yyyy-MM-dd HH:mm")


@dataclass
class Fen(IntegerField):
    """An amount in fen, shown and exported in yuan; filters take fen."""

    async def serialize_value(self, request: Request, value: Any) -> Any:
        exported = request.state.action == RequestAction.EXPORT
        return plain_yuan(int(value)) if exported else show_yuan(int(value))


@dataclass
class Micro(IntegerField):
    """A unit price in micro-yuan, shown in yuan."""

    async def serialize_value(self, request: Request, value: Any) -> Any:
        return show_unit(int(value))


def fen(name: str, label: str) -> Fen:
    return Fen(name, label=lazy(label))


def micro(name: str, label: str) -> Micro:
    return Micro(name, label=lazy(label))


@dataclass
class Detail(StringField):
    """A JSON object, shown as `quota: 5000 · reason: …`; filters and files know the JSON."""

    async def serialize_value(self, request: Request, value: Any) -> Any:
        if not value or request.state.action == RequestAction.EXPORT:
            return value
        return " · ".join(f"{name}: {_plain(each)}" for name, each in json.loads(value).items())


def _plain(value: object) -> str:
    if value is None:
        return "—"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def detail(name: str, label: str) -> Detail:
    """What an entry says besides its action."""
    return Detail(name, label=lazy(label))


@dataclass
class Linked(StringField):
    """Words that lead to one of the console's own pages: `to` with the row's id for `{}`."""

    to: str = ""
    list_template: str = "link.html"

    def href(self, identifier: str) -> str:
        return self.to.format(identifier)


def linked(name: str, label: str, to: str) -> Linked:
    return Linked(name, label=lazy(label), to=to)


@dataclass
class Coded(StringField):
    """A code, shown as a word of ours in the code's colour; filters and exports know the code."""

    words: Mapping[str, str] = field(default_factory=dict)
    tones: Mapping[str, str] = field(default_factory=dict)
    list_template: str = "coded.html"
    detail_template: str = "coded.html"

    def word(self, code: str) -> str:
        known = self.words.get(code)
        return translate(_language(), known) if known else code

    def tone(self, code: str) -> str:
        return self.tones.get(code, "secondary")


@dataclass
class Told(Coded):
    """A code in words, with the code itself beside them: it is what filters, logs and other systems know."""

    list_template: str = "told.html"
    detail_template: str = "told.html"


def told(name: str, label: str, words: Mapping[str, str]) -> Told:
    return Told(name, label=lazy(label), words=words)


@dataclass
class Notice(Told):
    """Why a payment notification was not believed, or what the provider answered when it was asked."""

    def word(self, code: str) -> str:
        fault = super().word(code.removeprefix(ASKED))
        return translate(_language(), _("支付渠道回答查询：{fault}"), fault=fault) if code.startswith(ASKED) else fault


def notice(name: str, label: str, words: Mapping[str, str]) -> Notice:
    return Notice(name, label=lazy(label), words=words)


@dataclass
class Action(Told):
    """What the audit log says was done."""

    def word(self, code: str) -> str:
        return translate(_language(), action_word(code))


def action(name: str, label: str) -> Action:
    return Action(name, label=lazy(label))


def coded(name: str, label: str, words: Mapping[str, str], tones: Mapping[str, str] | None = None) -> Coded:
    return Coded(name, label=lazy(label), words=words, tones=tones or {})
