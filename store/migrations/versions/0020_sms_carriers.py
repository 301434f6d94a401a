"""Sms carriers: what processes say of their binds; parts of long replies."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sms_gateway_sight",
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.Column("bound", sa.SmallInteger(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", "process"),
    )
    op.create_table(
        "sms_reply_piece",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("total", sa.SmallInteger(), nullable=False),
        sa.Column("gateway", sa.SmallInteger(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("reference", sa.Integer(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", "part"),
    )
    op.create_index("sms_reply_piece_at", "sms_reply_piece", ["arrived_at"], unique=False)


def downgrade() -> None:
    op.drop_index("sms_reply_piece_at", table_name="sms_reply_piece")
    op.drop_table("sms_reply_piece")
    op.drop_table("sms_gateway_sight")
