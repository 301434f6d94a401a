"""What is left of an error in a log: where it came from, and nothing of the data."""

import io
import logging
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from services.discreet_logs import LOGGERS, Discreet, install
from store.accounts import Member
from store.db import Database
from tests.path_rows import Customer

ADDRESS = "alice@customer.example"


async def test_the_text_of_a_drivers_error_is_not_written_down(db: Database) -> None:
    """PostgreSQL names the key that exists already, and the key is an address."""
    customer = await Customer(db).registers(ADDRESS)
    await customer.confirms()
    other = await Customer(db).registers("bob@customer.example")
    stream = io.StringIO()
    logger = logging.Logger("uvicorn.error")
    logger.addHandler(logging.StreamHandler(stream))
    logger.addFilter(Discreet())
    with pytest.raises(IntegrityError) as failed:
        async with db.begin() as session:
            await session.connection()
            member = Member(account_id=other.account, email=ADDRESS, password_hash="-", id=await of(db, customer))
            session.add(member)
    logger.error("a fault", exc_info=failed.value)
    told = stream.getvalue()
    assert "a fault\nIntegrityError at " in told
    assert "store/db.py" in told and "Traceback" not in told
    assert ADDRESS not in told and "DETAIL" not in told and "Key (" not in told


async def of(db: Database, customer: Customer) -> UUID:
    return UUID(str(await db.pool.fetchval("SELECT id FROM member WHERE account_id = $1", customer.account)))


def test_it_is_installed_once() -> None:
    install()
    install()
    for name in LOGGERS:
        assert sum(isinstance(each, Discreet) for each in logging.getLogger(name).filters) == 1
