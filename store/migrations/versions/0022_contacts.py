"""Contacts: a list counts its members; imports say what kind of list they fill."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact_list", sa.Column("members", sa.Integer(), server_default="0", nullable=False))
    op.add_column("list_import", sa.Column("kind", sa.String(), server_default="addresses", nullable=False))


def downgrade() -> None:
    op.drop_column("list_import", "kind")
    op.drop_column("contact_list", "members")
