"""Suppressions by reason, scope and time; a campaign says why it left people out.

What is there keeps its meaning: it holds for batch mail, for ever.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("suppression", sa.Column("scope", sa.String(), server_default="batch", nullable=False))
    op.add_column("suppression", sa.Column("until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("suppression", sa.Column("note", sa.String(), server_default="", nullable=False))
    op.drop_constraint("suppression_pkey", "suppression", type_="primary")
    op.create_primary_key("suppression_pkey", "suppression", ["account_id", "address", "reason"])
    op.add_column(
        "campaign",
        sa.Column(
            "suppressed_by", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("campaign", "suppressed_by")
    # What knows only batch mail for ever: of several entries the recipient's word stays, and none that has expired.
    op.execute("DELETE FROM suppression WHERE until <= now()")
    op.execute("UPDATE suppression SET reason = 'unsubscribe' WHERE reason = 'complaint' AND NOT EXISTS ("
               " SELECT FROM suppression u WHERE u.account_id = suppression.account_id"
               " AND u.address = suppression.address AND u.reason = 'unsubscribe')")  # fmt: skip
    op.execute("DELETE FROM suppression s USING suppression u WHERE u.account_id = s.account_id"
               " AND u.address = s.address AND u.reason = 'unsubscribe' AND s.reason <> 'unsubscribe'")  # fmt: skip
    op.drop_constraint("suppression_pkey", "suppression", type_="primary")
    op.create_primary_key("suppression_pkey", "suppression", ["account_id", "address"])
    op.drop_column("suppression", "note")
    op.drop_column("suppression", "until")
    op.drop_column("suppression", "scope")
