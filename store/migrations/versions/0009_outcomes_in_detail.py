"""Which address of ours spoke; counts of what receivers say; addresses that are dead."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("message", sa.Column("egress", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("attempt", sa.Column("egress", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_table(
        "signal_tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("domain_id", sa.Uuid(), nullable=False),
        sa.Column("egress", sa.SmallInteger(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("delivered", "deferred", "hard", "refused", "expired", "complained", "unsubscribed")
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "dead_address",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )


def downgrade() -> None:
    op.drop_table("dead_address")
    op.drop_table("signal_tally")
    op.drop_column("attempt", "egress")
    op.drop_column("message", "egress")
