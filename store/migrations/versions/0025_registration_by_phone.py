"""A member's mobile number: confirmed by a code of an SMS, which is asked for with a proof of work."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member", sa.Column("phone", sa.String(), nullable=True))
    op.add_column("member", sa.Column("phone_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("member_phone", "member", ["phone"], postgresql_where=sa.text("phone IS NOT NULL"))
    op.create_table(
        "phone_code",
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("send_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("codes_sent", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"]),
        sa.PrimaryKeyConstraint("member_id"),
    )
    op.create_index("ix_phone_code_account_id", "phone_code", ["account_id"])
    op.create_table(
        "spent_proof",
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce"),
    )
    op.create_index("spent_proof_expires", "spent_proof", ["expires_at"])


def downgrade() -> None:
    op.drop_table("spent_proof")
    op.drop_table("phone_code")
    op.drop_index("member_phone", table_name="member")
    op.drop_column("member", "phone_confirmed_at")
    op.drop_column("member", "phone")
