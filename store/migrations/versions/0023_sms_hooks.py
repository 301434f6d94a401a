"""SMS: messages are found by their number, replies by who sent them, requests to lift an interception once each."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sms_interception", sa.Column("note", sa.String(), server_default="", nullable=False))
    op.create_index("sms_interception_global", "sms_interception", ["id"], postgresql_where=sa.text("scope = 'global'"))
    op.create_index("sms_reply_phone", "sms_reply", ["phone", "id"])
    op.create_index("sms_reply_message", "sms_reply", ["message_id"])
    op.create_index("sms_reply_unmatched", "sms_reply", ["id"], postgresql_where=sa.text("account_id IS NULL"))
    op.create_index(
        "sms_unblock_request_open",
        "sms_unblock_request",
        ["account_id", "phone"],
        unique=True,
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_index(
        "message_phone", "message", ["address", "id"], postgresql_where=sa.text("\"left\"(address, 1) = '+'")
    )


def downgrade() -> None:
    op.drop_index("message_phone", table_name="message")
    op.drop_index("sms_unblock_request_open", table_name="sms_unblock_request")
    op.drop_index("sms_reply_unmatched", table_name="sms_reply")
    op.drop_index("sms_reply_message", table_name="sms_reply")
    op.drop_index("sms_reply_phone", table_name="sms_reply")
    op.drop_index("sms_interception_global", table_name="sms_interception")
    op.drop_column("sms_interception", "note")
