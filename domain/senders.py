"""API users (发信身份): kind, test flag, keys."""

import datetime as dt
import re
from enum import StrEnum

from domain.errors import Refusal

TEST_SENDS_PER_DAY = 10
"""Messages a day of a test API user, which may write to the account's own members only."""
MAX_API_USERS = 20
OLD_KEY_WORKS_FOR = dt.timedelta(minutes=15)
"""After a reset, so that programs can be changed over without a gap."""
_NAME = re.compile(r"[a-z0-9_]{3,32}")


class SendKind(StrEnum):
    """触发 for single mails on an event, 批量 for bulk; API user and template must agree (seed 2.1 ②)."""

    TRIGGER = "trigger"
    BATCH = "batch"


def require_name(text: str) -> str:
    """The name of a new API user; raises `Refusal` on field `name`."""
    name = text.strip()
    if not name:
        raise Refusal("required", field="name")
    if not _NAME.fullmatch(name):
        raise Refusal("api_user_bad_name", field="name", name=name[:40])
    return name
