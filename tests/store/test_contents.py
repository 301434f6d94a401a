"""What a submission's mails are made of, and whose name signs them."""

import pytest

from services.platform import ensure_platform
from store.contents import load_content
from store.db import Database
from store.starter_kit import grant
from tests.dns_world import POLICY
from tests.sending_world import VAULT, make_customer, submit


async def test_a_customer_s_domain_signs_for_itself(db: Database) -> None:
    customer = await make_customer(db)
    sent = await submit(db, customer, ["a@qq.com"])
    async with db.pool.acquire() as connection:
        content = await load_content(connection, sent.submission_id)
    assert content.signing_domain == content.domain_name == customer.domain_name


async def test_a_test_domain_is_signed_by_the_platform_s_whose_key_is_published(db: Database) -> None:
    platform = await ensure_platform(db, VAULT, POLICY)
    customer = await make_customer(db)
    async with db.begin() as session:
        await grant(session, customer.account, "zh", VAULT, POLICY)
    async with db.pool.acquire() as connection:
        test = await connection.fetchrow("SELECT id, name FROM sender_domain WHERE is_test")
        sent = await submit(db, customer, ["a@qq.com"])
        await connection.execute("UPDATE submission SET domain_id = $1 WHERE id = $2", test["id"], sent.submission_id)
        content = await load_content(connection, sent.submission_id)
    assert test["name"].endswith(f".test.{platform.name}")
    assert (content.domain_name, content.signing_domain) == (test["name"], platform.name)
    assert content.dkim_selector == platform.dkim_selector


async def test_a_submission_that_is_gone_has_no_content(db: Database) -> None:
    customer = await make_customer(db)
    async with db.pool.acquire() as connection:
        with pytest.raises(LookupError):
            await load_content(connection, customer.account)


async def test_what_the_api_user_tracks_is_part_of_it(db: Database) -> None:
    customer = await make_customer(db)
    sent = await submit(db, customer, ["a@qq.com"])
    async with db.pool.acquire() as connection:
        await connection.execute("UPDATE api_user SET track_clicks = true WHERE id = $1", customer.api_user)
        content = await load_content(connection, sent.submission_id)
    assert (content.track_clicks, content.track_opens, content.kind) == (True, False, "trigger")
    assert content.submission_id == sent.submission_id
