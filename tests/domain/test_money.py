"""Amounts as people and payment interfaces write them."""

import pytest

from domain.errors import Refusal
from domain.money import parse_fen
from domain.refusals import explain


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("100", 10_000), ("100.5", 10_050), ("100.50", 10_050), (" ¥100.05 ", 10_005), ("0.01", 1),
        ("1,000", 100_000), ("1,234.50", 123_450), ("999,999,999.99", 99_999_999_999), ("123456789", 12_345_678_900),
    ],
)  # fmt: skip
def test_an_amount(text: str, fen: int) -> None:
    assert parse_fen(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "100,50", "1,00", "1,0000", "1000,000", ",100", "100,", "1,,000", "1,000,000,000", "1234567890", "1.000,50",
        "1,000.5,0", "１００", "١٠٠", "100．5", "1，000", "", "-1", "+1", "1e3", "1.005", "1 000", ".5", "5.",
    ],
)  # fmt: skip
def test_what_is_no_amount(text: str) -> None:
    """A comma for the decimal point would be a hundredfold amount, in good faith."""
    with pytest.raises(Refusal) as refused:
        parse_fen(text, "sum")
    assert (refused.value.code, refused.value.field) == ("amount_malformed", "sum")
    assert "逗号" in explain(refused.value, "zh")[2]
    assert "commas between thousands only" in explain(refused.value, "en")[2]
