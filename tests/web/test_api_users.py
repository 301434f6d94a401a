"""/portal/api-users: what a page of an API user says of sending by SMTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from store.db import Database
from tests.sends_doors import Browser, browser


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


def with_tls(portal: Browser, **changes: Any) -> None:
    served = portal.app.state.services
    base = replace(served.foundation, policy=replace(served.foundation.policy, **changes))
    portal.app.state.services = replace(served, foundation=base)


async def test_the_page_says_how_to_send_by_smtp(portal: Browser) -> None:
    user, path = portal.customer.api_user_name, f"/portal/api-users/{portal.customer.api_user}"
    with_tls(portal, submission_host="smtp.here.test", submission_port=2525)
    said = (await portal.http.get(f"{path}?lang=en")).text
    assert "smtplib.SMTP(&#34;smtp.here.test&#34;, 2525)" in said or 'smtplib.SMTP("smtp.here.test", 2525)' in said
    assert f"{user}#label" in said and f"hello@{portal.customer.domain_name}" in said
    assert "starttls" not in said and "no certificate" in said
    with_tls(portal, submission_tls=True)
    said = (await portal.http.get(f"{path}?lang=zh")).text
    assert "server.starttls()" in said and "STARTTLS，登录前必须启用" in said and "-tls" in said
