"""Counts of what receivers say, by the hour."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COUNTS = ("delivered", "deferred", "hard", "refused", "expired", "complained", "unsubscribed")
# What is on record already, so that the audit's sums hold from the first day on; who counted it in the meantime is
# part of it. Old messages do not say the lane, so it is what their domain's mail servers said last.
BACKFILL = """
WITH fact AS (
    SELECT id AS message_id, finished_at AS at,
        CASE WHEN state = 'delivered' THEN 'delivered' WHEN reason = 'expired' THEN 'expired'
             WHEN reason LIKE 'hard.%' THEN 'hard' ELSE 'refused' END AS kind
    FROM message WHERE state IN ('delivered', 'bounced')
    UNION ALL
    SELECT message_id, ended_at, 'deferred' FROM attempt WHERE kind = 'deferred'
    UNION ALL
    SELECT message_id, first_at, 'unsubscribed' FROM engagement WHERE kind = 'unsubscribe'
)
INSERT INTO signal_count (account_id, starts_at, span, domain_id, egress, lane,
    delivered, deferred, hard, refused, expired, complained, unsubscribed)
SELECT m.account_id, date_trunc('hour', coalesce(f.at, m.attempted_at, s.accepted_at)), 'hour', s.domain_id, m.egress,
    coalesce(r.lane, 'other'),
    count(*) FILTER (WHERE f.kind = 'delivered'), count(*) FILTER (WHERE f.kind = 'deferred'),
    count(*) FILTER (WHERE f.kind = 'hard'), count(*) FILTER (WHERE f.kind = 'refused'),
    count(*) FILTER (WHERE f.kind = 'expired'), 0, count(*) FILTER (WHERE f.kind = 'unsubscribed')
FROM fact f JOIN message m ON m.id = f.message_id JOIN submission s ON s.id = m.submission_id
LEFT JOIN recipient_domain r ON r.domain = split_part(m.address, '@', -1)
GROUP BY 1, 2, 4, 5, 6
"""


def upgrade() -> None:
    op.create_table(
        "signal_count",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("span", sa.String(), nullable=False),
        sa.Column("domain_id", sa.Uuid(), nullable=False),
        sa.Column("egress", sa.SmallInteger(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("account_id", "starts_at", "span", "domain_id", "egress", "lane"),
    )
    op.create_index("signal_count_age", "signal_count", ["span", "starts_at"])
    op.execute("DELETE FROM signal_tally")
    op.execute(BACKFILL)


def downgrade() -> None:
    op.drop_table("signal_count")
