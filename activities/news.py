"""Mails about what happened already: one that cannot be accepted changes nothing of it."""

import structlog

from domain.errors import Refusal
from domain.notices import Notice
from store import notices
from store.db import Database

log = structlog.get_logger(__name__)


async def tell(db: Database, notice: Notice, to: str, language: str, variables: dict[str, str], key: str) -> bool:
    """`send_notice` for news. False: the mail cannot be accepted; that is logged and given up, so that the process
    goes on (the pages say the same).
    """
    try:
        await notices.send_notice(db, notice, to, language, variables, key)
    except Refusal as refusal:
        log.warning("notice_given_up", notice=notice.value, key=key, code=refusal.code)
        return False
    return True
