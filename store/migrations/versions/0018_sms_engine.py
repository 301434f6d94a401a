"""SMS on the sending engine: a page's line, what is uncertain, corrections by late receipts."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("page", sa.Column("line", sa.SmallInteger(), server_default="0", nullable=False))
    op.drop_index("sms_part_submitted", table_name="sms_part", postgresql_using="brin")
    op.create_index(
        "sms_part_waiting",
        "sms_part",
        ["submitted_at"],
        unique=False,
        postgresql_where=sa.text("state = ''"),
    )
    op.create_index(
        "sms_receipt_waiting",
        "sms_receipt",
        ["id"],
        unique=False,
        postgresql_where=sa.text("fate = ''"),
    )
    op.create_table(
        "sms_uncertain",
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("gateway", sa.SmallInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("sms_uncertain_phone", "sms_uncertain", ["phone"], unique=False)
    op.create_table(
        "sms_correction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_state", sa.String(), nullable=False),
        sa.Column("from_reason", sa.String(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("to_reason", sa.String(), nullable=False),
        sa.Column("segments", sa.SmallInteger(), nullable=False),
        sa.Column("charging", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sms_correction_message", "sms_correction", ["message_id"], unique=False)


def downgrade() -> None:
    op.drop_index("sms_correction_message", table_name="sms_correction")
    op.drop_table("sms_correction")
    op.drop_index("sms_uncertain_phone", table_name="sms_uncertain")
    op.drop_table("sms_uncertain")
    op.drop_index("sms_receipt_waiting", table_name="sms_receipt", postgresql_where=sa.text("fate = ''"))
    op.drop_index("sms_part_waiting", table_name="sms_part", postgresql_where=sa.text("state = ''"))
    op.create_index("sms_part_submitted", "sms_part", ["submitted_at"], unique=False, postgresql_using="brin")
    op.drop_column("page", "line")
