"""SendCloud's form format beside Standard Webhooks; replays."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

PENDING_BEFORE = "delivered_at IS NULL AND given_up_at IS NULL"
UNSETTLED = "delivered_at IS NULL OR replay_at IS NOT NULL"


def upgrade() -> None:
    op.add_column("webhook_endpoint", sa.Column("format", sa.String(), server_default="standard", nullable=False))
    op.alter_column("webhook_endpoint", "format", server_default=None)
    op.add_column("webhook_event", sa.Column("replay_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("webhook_event_pending", table_name="webhook_event")
    op.create_index(
        "webhook_event_unsettled", "webhook_event", ["endpoint_id", "id"], postgresql_where=sa.text(UNSETTLED)
    )
    op.create_index("webhook_event_message", "webhook_event", ["endpoint_id", "message_id", "id"])
    op.create_table(
        "webhook_replay",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("events", ARRAY(sa.Text()), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("after_message", sa.BigInteger(), nullable=False),
        sa.Column("after_event", sa.BigInteger(), nullable=False),
        sa.Column("after_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("after_submission", sa.Uuid(), nullable=True),
        sa.Column("after_ordinal", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.BigInteger(), nullable=False),
        sa.Column("rebuilt", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_replay_endpoint", "webhook_replay", ["endpoint_id", "id"])
    op.create_index(
        "webhook_replay_open",
        "webhook_replay",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("webhook_replay")
    op.drop_index("webhook_event_message", table_name="webhook_event")
    op.drop_index("webhook_event_unsettled", table_name="webhook_event")
    op.create_index(
        "webhook_event_pending", "webhook_event", ["endpoint_id", "id"], postgresql_where=sa.text(PENDING_BEFORE)
    )
    op.drop_column("webhook_event", "replay_at")
    op.drop_column("webhook_endpoint", "format")
