"""What the whole database holds: to see that nothing changed, and to put everything back."""

from collections.abc import Mapping
from functools import cached_property
from uuid import UUID

import asyncpg

UNWATCHED = {"throttle_hit": "counts every try, the refused ones above all"}
"""Tables that a refused call may change, and why."""
UNWATCHED_COLUMNS = {
    ("login_session", "last_seen_at"): "changes with every look of the one whose session it is",
    ("operator_session", "last_seen_at"): "the same",
}
OWNERS = {
    "account_id": ("account",),
    "api_user_id": ("api_user", "sms_user"),
    "campaign_id": ("campaign",),
    "certification_id": ("certification",),
    "domain_id": ("sender_domain",),
    "endpoint_id": ("webhook_endpoint",),
    "event_id": ("webhook_event",),
    "import_id": ("list_import",),
    "journal_id": ("journal",),
    "ledger_account_id": ("ledger_account",),
    "list_id": ("address_list", "contact_list"),
    "member_id": ("member",),
    "message_id": ("message",),
    "recharge_id": ("recharge",),
    "submission_id": ("submission",),
    "template_id": ("template", "sms_template"),
    "template_version_id": ("template_version", "sms_template_version"),
}
"""Columns by which a row belongs to an account, and the tables they name."""
OWNERLESS = {
    "gateway_id": "a carrier is nobody's",
    "operator_id": "operators belong to no account",
    "page_id": "a page holds messages of many accounts",
    "paper_id": "beside account_id",
    "reply_id": "beside account_id",
    "report_id": "beside account_id",
    "review_id": "beside account_id",
    "run_id": "Temporal's, beside account_id",
    "send_id": "beside account_id",
    "sender_id": "a process of ours",
    "signature_id": "beside account_id",
    "sms_user_id": "beside account_id",
    "smsc_id": "a carrier's name for a part",
    "system_id": "our name at a carrier",
    "task_id": "beside account_id",
    "workflow_id": "beside account_id",
}


class Standing:
    """All rows of all tables. `columns` are the names in each."""

    def __init__(self, pool: asyncpg.Pool, columns: Mapping[str, list[str]]) -> None:
        self._pool = pool
        self.columns = columns
        unknown = {name for names in columns.values() for name in names if name.endswith("_id")} - OWNERS.keys()
        assert unknown == OWNERLESS.keys(), f"say whose row {unknown ^ OWNERLESS.keys()} makes it, in tests/standing.py"
        assert UNWATCHED.keys() <= columns.keys(), "a table that is gone"
        gone = [(table, name) for table, name in UNWATCHED_COLUMNS if name not in columns[table]]
        assert not gone, f"columns that are gone: {gone}"

    @classmethod
    async def of(cls, pool: asyncpg.Pool) -> "Standing":
        """By the schema as it is."""
        rows = await pool.fetch(
            "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) AS names"
            " FROM information_schema.columns JOIN pg_tables ON tablename = table_name AND schemaname = table_schema"
            " WHERE table_schema = 'public' GROUP BY table_name"
        )
        return cls(pool, {row["table_name"]: row["names"] for row in rows})

    async def rows(self, *apart: UUID) -> dict[str, list[str]]:
        """Every row that is watched, by its table; without those that belong to these accounts alone."""
        found: dict[str, list[str]] = {table: [] for table in self.columns if table not in UNWATCHED}
        for table, row in await self._pool.fetch(self._query, apart):
            found[table].append(row)
        return {table: sorted(rows) for table, rows in found.items()}

    @cached_property
    def _query(self) -> str:
        return " UNION ALL ".join(self._select(table) for table in self.columns if table not in UNWATCHED)

    def _select(self, table: str) -> str:
        row = "to_jsonb(t)" + "".join(f" - '{name}'" for of, name in UNWATCHED_COLUMNS if of == table)
        return f"SELECT '{table}', ({row})::text FROM \"{table}\" t WHERE NOT coalesce({self._alone(table)}, false)"

    def _alone(self, table: str) -> str:
        """Whether everything that the row names belongs to the accounts $1, and is something."""
        named = [name for name in self.columns[table] if name in OWNERS]
        parts = [_leads(name) for name in named] if table != "account" else ["t.id = ANY($1::uuid[])"]
        some = " OR ".join(f"t.{name} IS NOT NULL" for name in named) or "true"
        return f"({some}) AND {' AND '.join(parts)}" if parts else "false"

    async def keep(self) -> None:
        """What `restore` puts back."""
        copies = "".join(f'CREATE TABLE kept."{table}" AS TABLE public."{table}";' for table in self.columns)
        await self._pool.execute(f"DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept; {copies}")

    async def restore(self) -> None:
        """Everything as it was; in this role neither foreign keys nor append-only triggers are looked at."""
        tables = "".join(
            f'DELETE FROM public."{table}";'
            f'INSERT INTO public."{table}" OVERRIDING SYSTEM VALUE SELECT * FROM kept."{table}";'
            for table in self.columns
        )
        await self._pool.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {tables} COMMIT")


def _leads(name: str) -> str:
    """Whether the column leads to one of the accounts $1, or nowhere."""
    if name == "account_id":
        return "(t.account_id IS NULL OR t.account_id = ANY($1::uuid[]))"
    found = [f'EXISTS (SELECT FROM "{table}" o WHERE o.id = t.{name} AND o.account_id = ANY($1::uuid[]))'
             for table in OWNERS[name]]  # fmt: skip
    return f"(t.{name} IS NULL OR {' OR '.join(found)})"
