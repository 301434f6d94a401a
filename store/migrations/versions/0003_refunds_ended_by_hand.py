"""Processes that ask for a person; when a refund was asked for last; refused notices by reason, and which is which."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clockwork", sa.Column("attention", sa.String(), nullable=True))
    op.add_column("payment", sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("refused_notice_reason", "refused_notice", ["reason", "at"], unique=False)
    op.create_index("refused_notice_digest", "refused_notice", ["digest"], unique=False)


def downgrade() -> None:
    op.drop_index("refused_notice_digest", table_name="refused_notice")
    op.drop_index("refused_notice_reason", table_name="refused_notice")
    op.drop_column("payment", "asked_at")
    op.drop_column("clockwork", "attention")
