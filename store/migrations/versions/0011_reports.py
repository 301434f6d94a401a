"""What comes in at the inbound door: bounces, complaints, replies; corrected outcomes."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("is_ours", sa.Boolean(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("diagnostic", "host", "source", "feedback_type", "reason", "effect")
        ),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("report_fingerprint", "report", ["fingerprint"], unique=True)
    op.create_index("report_message", "report", ["message_id"], postgresql_where=sa.text("message_id IS NOT NULL"))
    op.create_index("report_kind", "report", ["kind", "id"])
    op.create_index("report_received", "report", ["received_at"])
    op.create_index("report_passing", "report", ["received_at"], postgresql_where=sa.text("message_id IS NULL"))
    op.create_index("report_waiting", "report", ["id"], postgresql_where=sa.text("effect = 'waiting'"))
    op.create_table(
        "correction",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("report_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_state", sa.String(), nullable=False),
        sa.Column("from_reason", sa.String(), nullable=False),
        sa.Column("from_code", sa.Integer(), nullable=False),
        sa.Column("from_enhanced", sa.String(), nullable=False),
        sa.Column("from_reply", sa.String(), nullable=False),
        sa.Column("from_host", sa.String(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("to_state", sa.String(), nullable=False),
        sa.Column("to_reason", sa.String(), nullable=False),
        sa.Column("to_code", sa.Integer(), nullable=False),
        sa.Column("charging", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id", "from_state"),
    )
    op.create_index("correction_submission", "correction", ["submission_id"])


def downgrade() -> None:
    op.drop_table("correction")
    op.drop_table("report")
