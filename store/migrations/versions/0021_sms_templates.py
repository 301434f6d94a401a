"""Reviews of signatures, each submission with a process of its own; their proofs."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sms_signature", sa.Column("review_id", sa.Uuid(), nullable=True))
    op.create_unique_constraint("sms_signature_review_id_key", "sms_signature", ["review_id"])
    op.create_table(
        "sms_paper",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("signature_id", sa.Uuid(), nullable=False),
        sa.Column("storage_key", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["signature_id"], ["sms_signature.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_sms_paper_signature_id", "sms_paper", ["signature_id"])
    op.create_index(
        "sms_paper_deleted", "sms_paper", ["deleted_at"], postgresql_where=sa.text("deleted_at IS NOT NULL")
    )
    op.create_index(
        "sms_signature_waiting", "sms_signature", ["due_at"], postgresql_where=sa.text("state = 'submitted'")
    )
    op.create_index("ix_sms_template_version_account_id", "sms_template_version", ["account_id"])
    op.create_index("ix_sms_template_version_signature_id", "sms_template_version", ["signature_id"])


def downgrade() -> None:
    op.drop_index("ix_sms_template_version_signature_id", "sms_template_version")
    op.drop_index("ix_sms_template_version_account_id", "sms_template_version")
    op.drop_index("sms_signature_waiting", "sms_signature")
    op.drop_table("sms_paper")
    op.drop_constraint("sms_signature_review_id_key", "sms_signature")
    op.drop_column("sms_signature", "review_id")
