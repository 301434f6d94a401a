"""Which addresses mail, or a webhook, may be sent to."""

import pytest

from domain.networks import Reach


@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("::ffff:192.168.0.1", False),
        ("64:ff9b::a00:1", False),
        ("fe80::1%eth0", False),
        ("nowhere", False),
        ("", False),
    ],
)
def test_only_the_internet_is_in_reach(address: str, permitted: bool) -> None:
    assert Reach().permits(address) is permitted


def test_an_allowed_network_is_too() -> None:
    reach = Reach(["10.1.0.0/16", "fd00::/8"])
    assert [reach.permits(each) for each in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1", "10.2.0.1")] == [True] * 3 + [
        False
    ]
    with pytest.raises(ValueError):
        Reach(["no network"])
