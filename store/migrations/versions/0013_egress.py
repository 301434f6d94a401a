"""Addresses that we send from, and how to speak to destinations."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "egress_address",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("ehlo_name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("public", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "egress_sight",
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["egress_address.number"]),
        sa.PrimaryKeyConstraint("number", "host"),
    )
    op.create_table(
        "destination_policy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("match", sa.String(), nullable=False),
        sa.Column("pattern", sa.String(), nullable=False),
        sa.Column("tls", sa.String(), nullable=False),
        sa.Column("smart_hosts", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("login_user", sa.String(), nullable=False),
        sa.Column("login_password", sa.LargeBinary(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("match", "pattern"),
    )


def downgrade() -> None:
    op.drop_table("destination_policy")
    op.drop_table("egress_sight")
    op.drop_table("egress_address")
