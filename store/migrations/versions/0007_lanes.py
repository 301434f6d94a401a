"""Lanes, and which receiving domain belongs to which."""

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


def downgrade() -> None:
    op.drop_table("recipient_domain")
