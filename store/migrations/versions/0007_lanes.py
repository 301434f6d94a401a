"""Lanes, who holds what of them, and which receiving domain belongs to which."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recipient_domain",
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("looked_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("domain"),
    )
    # Rows come with the first worker: only it knows how fast the clocks of its stack run.
    op.create_table(
        "lane",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rate_per_s", sa.Float(), nullable=True),
        sa.Column("burst", sa.Integer(), nullable=False),
        sa.Column("connections", sa.Integer(), nullable=True),
        sa.Column("per_site", sa.Integer(), nullable=True),
        sa.Column("per_connection", sa.Integer(), nullable=True),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("tokens_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pace", sa.Float(), nullable=False),
        sa.Column("backoff_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("backoff_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("express_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recovered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("slow_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.String(), nullable=False),
        sa.Column("pause_reason", sa.String(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "lane_share",
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("site", sa.String(), nullable=False),
        sa.Column("bulk", sa.Integer(), nullable=False),
        sa.Column("express", sa.Integer(), nullable=False),
        sa.Column("wanting", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sender_id", "lane", "site"),
    )


def downgrade() -> None:
    op.drop_table("lane_share")
    op.drop_table("lane")
    op.drop_table("recipient_domain")
