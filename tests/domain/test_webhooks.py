import base64
import datetime as dt
import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain import webhooks as rules
from domain.errors import Refusal
from domain.refusals import REFUSALS, explain

NOW = dt.datetime.now(dt.UTC)


def test_headers_are_accepted_by_the_standard_library_of_receivers() -> None:
    secret = rules.new_secret()
    body = rules.body_of("deliver", NOW, 7, {"recipient": "张三@例子.example"})
    headers = rules.signed_headers("evt_1", NOW, body, [secret])
    assert Webhook(secret).verify(body, headers) == {
        "type": "deliver", "timestamp": rules.iso(NOW), "number": 7, "data": {"recipient": "张三@例子.example"},
    }  # fmt: skip
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(rules.new_secret()).verify(body, headers)


def test_both_secrets_sign_during_a_rotation() -> None:
    new, old = rules.new_secret(), rules.new_secret()
    headers = rules.signed_headers("evt_1", NOW, b"{}", [new, old])
    assert Webhook(new).verify(b"{}", headers) == {} == Webhook(old).verify(b"{}", headers)


def test_a_secret_is_32_random_bytes() -> None:
    secret = rules.new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret[6:], validate=True)) == 32
    assert secret != rules.new_secret()


def test_body_is_the_same_at_every_try() -> None:
    assert rules.body_of("click", NOW, 1, {"a": 1}) == rules.body_of("click", NOW, 1, json.loads('{"a": 1}'))


def test_back_off_grows_and_then_repeats() -> None:
    seconds = [int(rules.back_off(n).total_seconds()) for n in range(1, rules.MAX_TRIES + 2)]
    assert seconds[:8] == [5, 55, 300, 840, 2400, 3600, 7200, 14_400]
    assert set(seconds[8:]) == {28_800}
    assert sum(seconds[: rules.MAX_TRIES - 1]) == 72 * 3600 == rules.DISABLED_AFTER.total_seconds()


def test_an_event_is_tried_as_long_as_an_endpoint() -> None:
    waited = sum((rules.back_off(n) for n in range(1, rules.MAX_TRIES)), dt.timedelta())
    shorter = sum((rules.back_off(n) for n in range(1, rules.MAX_TRIES - 1)), dt.timedelta())
    assert shorter < rules.DISABLED_AFTER <= waited


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("https://example.com/hooks", "https://example.com/hooks"),
        (" http://Example.COM:8443/a?b=c ", "http://example.com:8443/a?b=c"),
        ("https://例子.中国/钩", "https://xn--fsqu00a.xn--fiqs8s/钩"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("HTTPS://example.com", "https://example.com"),
    ],
)
def test_urls_as_they_are_called(given: str, called: str) -> None:
    assert rules.checked_url(given) == called


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("ftp://example.com", "webhook_url_scheme"),
        ("example.com/hooks", "webhook_url_scheme"),
        ("https:///hooks", "webhook_url_host"),
        ("https://u:p@example.com/", "webhook_url_parts"),
        ("https://example.com/#x", "webhook_url_parts"),
        ("https://example.com:0/", "webhook_url_parts"),
        ("https://example.com:99999/", "webhook_url_malformed"),
        ("https://exam ple.com/", "webhook_url_malformed"),
        ("https://[::1/", "webhook_url_malformed"),
        ("https://example.com/" + "a" * 2000, "webhook_url_long"),
        ("https://-例-.中国/", "webhook_url_host"),
    ],
)
def test_urls_that_are_refused_name_the_problem(given: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        rules.checked_url(given)
    assert (refused.value.code, refused.value.field) == (code, "url")
    assert all(explain(refused.value, language)[1] for language in ("zh", "en"))


def test_events_are_kept_in_one_order_and_unknown_ones_refused() -> None:
    assert rules.checked_events(["invalid", "deliver", "invalid"]) == ["deliver", "invalid"]
    with pytest.raises(Refusal, match="webhook_events_empty"):
        rules.checked_events([])
    with pytest.raises(Refusal) as refused:
        rules.checked_events(["deliver", "delivered"])
    assert "“delivered”" in explain(refused.value, "en")[1]
    assert refused.value.code in REFUSALS
