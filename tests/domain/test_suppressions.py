"""How suppressed addresses are compared."""

import pytest

from domain.suppressions import suppression_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Li.Lei@qq.com", "li.lei@qq.com"),
        ("li@qq.com", "li@qq.com"),
        ("ÉMILE@example.org", "Émile@example.org"),  # as PostgreSQL's lower(… COLLATE "C") does
        ("李雷@example.org", "李雷@example.org"),
    ],
)
def test_ascii_letters_are_lowered_and_no_others(address: str, key: str) -> None:
    assert suppression_key(address) == key
