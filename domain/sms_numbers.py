"""Phone numbers as people write them, brought to one form; which of them can get an SMS (domain-rules §4.3).

The library's tables (Google's libphonenumber) say what is a number of which country, and of which sort.
"""

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from domain.errors import Refusal
from domain.sms import Market

HOME = "CN"
MAX_WRITTEN = 40
"""Characters of a number as it is written; a longer text is something else."""

_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\xad]")
"""Zero-width and direction marks that address books leave around a copied number."""
_WRITTEN = re.compile(r"(?:tel:)?[\s(]*[+]?[\d\s().\-]+", re.IGNORECASE)
_DASHES = re.compile(r"[\u2010-\u2015\u2212\u30fc]")
_HANDSETS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
"""In some countries (North America) a number does not tell which of the two it is."""


@dataclass(frozen=True)
class Phone:
    """A number that an SMS can be sent to."""

    e164: str
    """With `+`."""
    country: str
    """ISO 3166, two letters."""

    @property
    def is_domestic(self) -> bool:
        """Of mainland China (country code 86); Hong Kong, Macau and Taiwan have codes of their own."""
        return self.country == HOME

    @property
    def market(self) -> Market:
        return Market.DOMESTIC if self.is_domestic else Market.INTERNATIONAL


def read_phone(written: str, market: Market | None = None) -> Phone:
    """The number that was meant, in any usual way of writing: `138-0013-8000`, `+86 138…`, `0086138…`, `+44 7400 …`.

    Without `+` or `00` it is a number of mainland China. Only where the caller says that it means other countries
    (`market`), digits that are no Chinese number are tried with a country code in front: else a mistyped mobile number
    would be a foreigner's. Raises `Refusal`: `phone_empty`, `phone_invalid`, `phone_landline`, `phone_not_mobile`.
    """
    text = _DASHES.sub("-", _INVISIBLE.sub("", unicodedata.normalize("NFKC", written[: MAX_WRITTEN * 2]))).strip()
    if not text:
        raise Refusal("phone_empty", field="phone")
    if len(text) > MAX_WRITTEN or not _WRITTEN.fullmatch(text):
        raise Refusal("phone_invalid", field="phone")
    text = re.sub(r"^tel:", "", text, flags=re.IGNORECASE)
    number = _parse(text)
    if number is None and market is Market.INTERNATIONAL:
        number = _parse("+" + text)
    if number is None:
        raise Refusal("phone_invalid", field="phone")
    return _handset(number)


def _parse(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, HOME)
    except NumberParseException:
        return None
    return number if number.extension is None and phonenumbers.is_valid_number(number) else None


def _handset(number: phonenumbers.PhoneNumber) -> Phone:
    country = phonenumbers.region_code_for_number(number)
    kind = phonenumbers.number_type(number)
    if country == HOME and kind != PhoneNumberType.MOBILE:
        raise Refusal("phone_landline", field="phone")
    if country is None or not country.isalpha() or kind not in _HANDSETS:  # "001": of no country
        raise Refusal("phone_not_mobile", field="phone")
    return Phone(phonenumbers.format_number(number, PhoneNumberFormat.E164), country)


def national(e164: str) -> str:
    """As customers of mainland China write and expect it: `13800138000`; other countries' keep their `+`."""
    return e164.removeprefix("+86") if e164.startswith("+86") else e164
