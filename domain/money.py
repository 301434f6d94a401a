"""Amounts of money: integer fen in the books, integer micro-yuan for unit prices (design §5). Never a float."""

import re
from decimal import Decimal

from babel.numbers import format_currency

from domain.errors import Refusal

MICRO_PER_FEN = 10_000
CURRENCY = "CNY"
_AMOUNT = re.compile(r"([0-9]{1,9}|[0-9]{1,3}(?:,[0-9]{3}){1,2})(?:\.([0-9]{1,2}))?")
"""A comma stands between thousands or it is a slip: `100,50` is no amount, least of all 10,050 yuan."""


def parse_fen(text: str, field: str = "amount") -> int:
    """`100`, `100.5`, `100.50` or `1,000.50` yuan as fen. Raises the refusal `amount_malformed`."""
    match = _AMOUNT.fullmatch(text.strip().removeprefix("¥"))
    if match is None:
        raise Refusal("amount_malformed", field=field)
    return int(match[1].replace(",", "")) * 100 + int((match[2] or "0").ljust(2, "0"))


def plain_yuan(fen: int) -> str:
    """`100.50`, as payment interfaces write it."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def show_yuan(fen: int) -> str:
    """`¥1,234.50`, for people."""
    return format_currency(Decimal(fen) / 100, CURRENCY, locale="zh_CN")


def plain_unit(micro: int) -> str:
    """A unit price in yuan, `0.0045`: as many decimals as it has, at least two."""
    whole, part = divmod(micro, 1_000_000)
    return f"{whole}.{f'{part:06d}'.rstrip('0').ljust(2, '0')}"


def show_unit(micro: int) -> str:
    """The same for people, `¥0.0045`."""
    return f"¥{plain_unit(micro)}"
