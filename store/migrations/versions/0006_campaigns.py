"""Campaigns: what they are, the lanes of their messages, their revisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("api_user_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("template_version_id", sa.Uuid(), nullable=False),
        sa.Column("domain_id", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("reply_to", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("lists", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("problem_params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("paused_from", sa.String(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hours_from", sa.Time(), nullable=True),
        sa.Column("hours_to", sa.Time(), nullable=True),
        sa.Column("lives_hours", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("duplicates", sa.Integer(), nullable=False),
        sa.Column("suppressed", sa.Integer(), nullable=False),
        sa.Column("incomplete", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("freeze_place", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("held_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("campaign_account", "campaign", ["account_id", "id"], unique=False)
    op.create_index(
        "campaign_idempotency",
        "campaign",
        ["account_id", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_table(
        "campaign_domain",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("members", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "lane", "domain"),
    )
    op.create_table(
        "campaign_lane",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("first_ordinal", sa.Integer(), nullable=False),
        sa.Column("end_ordinal", sa.Integer(), nullable=False),
        sa.Column("next_ordinal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "lane"),
    )
    op.create_table(
        "campaign_revision",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("template_version_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "number"),
    )
    op.add_column("submission", sa.Column("is_campaign", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("message", sa.Column("revision", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("due", sa.Column("campaign_id", sa.Uuid(), nullable=True))
    op.add_column("due", sa.Column("lane", sa.String(), nullable=True))
    op.drop_index("due_account", table_name="due")
    op.create_index(
        "due_account", "due", ["account_id", "due_at"], unique=False, postgresql_where=sa.text("campaign_id IS NULL")
    )
    op.create_index(
        "due_campaign",
        "due",
        ["campaign_id", "lane", "due_at"],
        unique=False,
        postgresql_where=sa.text("campaign_id IS NOT NULL"),
    )
    op.add_column("page", sa.Column("unknown", sa.Integer(), server_default="0", nullable=False))
    op.add_column("page", sa.Column("campaign_id", sa.Uuid(), nullable=True))
    op.add_column("page", sa.Column("lane", sa.String(), nullable=True))
    op.add_column("page", sa.Column("runner", sa.SmallInteger(), nullable=True))
    op.add_column("page", sa.Column("first_ordinal", sa.Integer(), nullable=True))
    op.add_column("page", sa.Column("end_ordinal", sa.Integer(), nullable=True))
    op.add_column("slot", sa.Column("revision", sa.SmallInteger(), server_default="0", nullable=False))
    op.drop_index("slot_message", table_name="slot")
    # Updated in place again and again: room on each page, and no index on what changes, keeps that local (HOT).
    op.execute("ALTER TABLE slot SET (fillfactor = 10)")
    op.execute("ALTER TABLE message SET (fillfactor = 50)")
    op.execute("ALTER TABLE page SET (fillfactor = 50)")
    op.create_index(
        "page_runner",
        "page",
        ["campaign_id", "lane", "runner"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL AND campaign_id IS NOT NULL"),
    )
    op.create_index(
        "page_campaign", "page", ["campaign_id"], unique=False, postgresql_where=sa.text("campaign_id IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("page_campaign", table_name="page", postgresql_where=sa.text("campaign_id IS NOT NULL"))
    op.drop_index(
        "page_runner", table_name="page", postgresql_where=sa.text("closed_at IS NULL AND campaign_id IS NOT NULL")
    )
    for column in ("end_ordinal", "first_ordinal", "runner", "lane", "campaign_id", "unknown"):
        op.drop_column("page", column)
    op.execute("ALTER TABLE page RESET (fillfactor)")
    op.execute("ALTER TABLE message RESET (fillfactor)")
    op.execute("ALTER TABLE slot RESET (fillfactor)")
    op.create_index("slot_message", "slot", ["message_id"], unique=False)
    op.drop_column("slot", "revision")
    op.drop_index("due_campaign", table_name="due", postgresql_where=sa.text("campaign_id IS NOT NULL"))
    op.drop_index("due_account", table_name="due", postgresql_where=sa.text("campaign_id IS NULL"))
    op.create_index("due_account", "due", ["account_id", "due_at"], unique=False)
    op.drop_column("due", "lane")
    op.drop_column("due", "campaign_id")
    op.drop_column("message", "revision")
    op.drop_column("submission", "is_campaign")
    op.drop_table("campaign_revision")
    op.drop_table("campaign_lane")
    op.drop_table("campaign_domain")
    op.drop_index(
        "campaign_idempotency", table_name="campaign", postgresql_where=sa.text("idempotency_key IS NOT NULL")
    )
    op.drop_index("campaign_account", table_name="campaign")
    op.drop_table("campaign")
