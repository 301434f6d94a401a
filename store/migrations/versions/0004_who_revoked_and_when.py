"""Who took a certification back, and when: beside the decision, which is counted as it was made."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("certification", sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("certification", sa.Column("revoked_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("certification", "revoked_by")
    op.drop_column("certification", "revoked_at")
