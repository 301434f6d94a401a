"""The search for what is private finds it in every way in which a program writes it, and nothing else."""

import pytest

from tests.left_behind import leaks


@pytest.mark.parametrize(
    "text",
    [
        "to +8613800138000", "phone=13800138000&x", '{"phone": "8613800138000"}', "0086-13800138000", "+447400123456",
        "rt_0123456789abcdef", "smsk_0123456789abcdef", "code 042917 typed", '["042917"]', "42917 042917.",
    ],
)  # fmt: skip
def test_what_must_not_be_there_is_found(text: str) -> None:
    assert leaks(text, ["042917"])


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T08:00:00.042917Z", "1795420429171", "0192f0d1-1399-7234-8000-13800138000a", "a042917",
        "1.3800138000", "8613800138000123", "sms-gateway/13", "1795420800000",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert leaks(text, ["042917"]) == []
