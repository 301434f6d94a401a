"""Clicks, opens and unsubscriptions; who must not be written to."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "suppression",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "address"),
    )
    op.create_index("suppression_newest", "suppression", ["account_id", "id"], unique=True)
    op.create_table(
        "engagement",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("link", sa.SmallInteger(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "kind", "link"),
    )
    op.create_index("engagement_submission", "engagement", ["submission_id", "kind"], unique=False)
    op.add_column("api_user", sa.Column("track_clicks", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("api_user", sa.Column("track_opens", sa.Boolean(), server_default="false", nullable=False))
    op.execute("UPDATE api_user SET track_clicks = true, track_opens = true WHERE kind = 'batch'")


def downgrade() -> None:
    op.drop_column("api_user", "track_opens")
    op.drop_column("api_user", "track_clicks")
    op.drop_index("engagement_submission", table_name="engagement")
    op.drop_table("engagement")
    op.drop_index("suppression_newest", table_name="suppression")
    op.drop_table("suppression")
