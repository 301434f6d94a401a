"""What an operator sets for mail that leaves: read once, and refused at the start when it cannot work."""

import pytest
from pydantic import ValidationError

from domain.destinations import USUAL, SmartHost
from domain.transport import Login, Tls
from settings import Settings

SECRET = "a test's master secret, 32 characters and more"


def read(**values: object) -> Settings:
    return Settings.model_validate({"secret_key": SECRET, **values})


def test_without_a_smart_host_mail_goes_by_mx() -> None:
    assert read().treatment() == USUAL


def test_a_smart_host_with_a_login() -> None:
    given = {"smart_host": "relay.test:587, 10.0.0.1", "smart_host_user": "u", "smart_host_password": "a secret"}
    found = read(**given).treatment()
    assert found.smart_hosts == (SmartHost("relay.test", 587), SmartHost("10.0.0.1", 25))
    assert (found.tls, found.login) == (Tls.REQUIRED, Login("u", "a secret"))
    assert "a secret" not in repr(read(**given)) + repr(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"smart_host": "relay.test:x"},
        {"smart_host": "relay.test", "smart_host_tls": "perhaps"},
        {"smart_host": "relay.test", "smart_host_user": "u", "smart_host_tls": "opportunistic"},
        {"delivery_allowed_networks": ["10.0.0.0/33"]},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        read(**wrong)
