"""Columns of the records: how a value is shown, and how it is written into a CSV file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette_admin.fields import BooleanField, DateTimeField, IntegerField, StringField

from domain.money import plain_yuan, show_yuan
from domain.spreadsheets import cell
from web.i18n import Translate
from web.i18n import mark as _

NOTHING = "—"


@dataclass
class Text(StringField):
    """Words as they are."""

    def shown(self, value: object, say: Translate) -> str:
        return str(value) if value not in (None, "") else NOTHING

    def written(self, value: object, say: Translate) -> str:
        return cell(value)


@dataclass
class Number(IntegerField):
    """`zero`: nought is a number, too, and not the sign of none."""

    zero: bool = True

    def shown(self, value: object, say: Translate) -> str:
        return str(value) if value or (value is not None and self.zero) else NOTHING

    def written(self, value: object, say: Translate) -> str:
        return cell(value)


@dataclass
class YesNo(BooleanField):
    def shown(self, value: object, say: Translate) -> str:
        return say(_("是")) if value else say(_("否"))

    def written(self, value: object, say: Translate) -> str:
        return cell(bool(value))


@dataclass
class Moment(DateTimeField):
    """Pages show it by the filter `moment`; files hold UTC."""

    def written(self, value: object, say: Translate) -> str:
        return cell(value)


@dataclass
class Fen(IntegerField):
    """Money: with its sign on pages, and as a number in files."""

    def shown(self, value: object, say: Translate) -> str:
        return show_yuan(value) if isinstance(value, int) else NOTHING

    def written(self, value: object, say: Translate) -> str:
        return plain_yuan(value) if isinstance(value, int) else ""


@dataclass
class Word(StringField):
    """A code, shown as a word of ours; an unknown one stays as it is. Files hold the code."""

    words: Mapping[str, str] = field(default_factory=dict)
    tones: Mapping[str, str] = field(default_factory=dict)
    beside: bool = False
    """The code is shown as well, for whoever programs with it."""

    def shown(self, value: object, say: Translate) -> str:
        text = str(value or "")
        return say(self.words[text]) if text in self.words else text or NOTHING

    def tone(self, value: object) -> str:
        return self.tones.get(str(value), "")

    def written(self, value: object, say: Translate) -> str:
        return cell(value)


@dataclass
class Fault(Word):
    """Why a request failed: a word of ours, or the HTTP status."""

    def shown(self, value: object, say: Translate) -> str:
        text = str(value or "")
        return text.replace("_", " ").upper() if text.startswith("http_") else super().shown(value, say)


Column = Text | Number | YesNo | Moment | Fen | Word
