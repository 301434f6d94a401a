"""SMS: users, signatures, templates, carriers, parts and receipts, interception, replies, contacts; lines of `due`."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sms_gateway",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("system_id", sa.String(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=False),
        sa.Column("system_type", sa.String(), nullable=False),
        sa.Column("tls", sa.String(), nullable=False),
        sa.Column("bind", sa.String(), nullable=False),
        sa.Column("binds", sa.SmallInteger(), nullable=False),
        sa.Column("window", sa.SmallInteger(), nullable=False),
        sa.Column("rate_per_s", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("id_form", sa.String(), nullable=False),
        sa.Column("clock_offset_minutes", sa.SmallInteger(), nullable=False),
        sa.Column("enquire_seconds", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("number"),
    )
    op.create_table(
        "sms_part",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), nullable=False),
        sa.Column("gateway", sa.SmallInteger(), nullable=False),
        sa.Column("smsc_id", sa.String(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("message_id", "attempt", "part"),
    )
    op.create_index("sms_part_receipt", "sms_part", ["gateway", "smsc_id"], unique=False)
    op.create_index("sms_part_submitted", "sms_part", ["submitted_at"], unique=False, postgresql_using="brin")
    op.create_table(
        "sms_receipt",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("gateway", sa.SmallInteger(), nullable=False),
        sa.Column("smsc_id", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reference", sa.Integer(), nullable=True),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fate", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sms_receipt_at", "sms_receipt", ["arrived_at"], unique=False)
    op.create_index("sms_receipt_id", "sms_receipt", ["gateway", "smsc_id"], unique=False)
    op.create_table(
        "sms_recent",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", postgresql.ARRAY(sa.DateTime(timezone=True)), nullable=False),
        sa.Column("last_content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "phone", "kind"),
    )
    op.create_table(
        "sms_reply",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("gateway", sa.SmallInteger(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("is_opt_out", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sms_reply_account", "sms_reply", ["account_id", "id"], unique=False)
    op.create_table(
        "contact_list",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index(
        "contact_list_name",
        "contact_list",
        ["account_id", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "sms_interception",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "phone", "code"),
    )
    op.create_index("sms_interception_newest", "sms_interception", ["account_id", "id"], unique=False)
    op.create_index("sms_interception_phone", "sms_interception", ["phone", "until"], unique=False)
    op.create_table(
        "sms_label",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "name"),
    )
    op.create_table(
        "sms_opt_out",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("word", sa.String(), nullable=False),
        sa.Column("reply_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "phone"),
    )
    op.create_index("sms_opt_out_newest", "sms_opt_out", ["account_id", "id"], unique=True)
    op.create_table(
        "sms_request_key",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "key"),
    )
    op.create_table(
        "sms_route",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("gateway_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("cost_micro", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["sms_gateway.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("sms_route_order", "sms_route", ["country", "kind", "rank"], unique=False)
    op.create_table(
        "sms_signature",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("market", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("paper_id", sa.Uuid(), nullable=True),
        sa.Column("is_builtin", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index(
        "sms_signature_text",
        "sms_signature",
        ["account_id", "market", "text"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "sms_template",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_builtin", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_index(
        "sms_template_name",
        "sms_template",
        ["account_id", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "sms_unblock_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("lifted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_sms_unblock_request_account_id"), "sms_unblock_request", ["account_id"], unique=False)
    op.create_table(
        "sms_user",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_index(op.f("ix_sms_user_account_id"), "sms_user", ["account_id"], unique=False)
    op.create_table(
        "contact",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("user_name", sa.String(), nullable=False),
        sa.Column("variables", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"],
            ["contact_list.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("contact_order", "contact", ["list_id", "id"], unique=False)
    op.create_index("contact_phone", "contact", ["list_id", "phone"], unique=True)
    op.create_table(
        "sms_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sms_user_id", sa.Uuid(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sms_user_id"],
            ["sms_user.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_sms_key_sms_user_id"), "sms_key", ["sms_user_id"], unique=False)
    op.create_table(
        "sms_template_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("market", sa.String(), nullable=False),
        sa.Column("signature_id", sa.Uuid(), nullable=False),
        sa.Column("signature_last", sa.Boolean(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("variables", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["signature_id"],
            ["sms_signature.id"],
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["sms_template.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("template_id", "number"),
    )
    op.create_index(
        "sms_template_one_draft",
        "sms_template_version",
        ["template_id"],
        unique=True,
        postgresql_where=sa.text("state = 'draft'"),
    )
    op.create_index(
        "sms_template_one_submitted",
        "sms_template_version",
        ["template_id"],
        unique=True,
        postgresql_where=sa.text("state = 'submitted'"),
    )
    op.add_column("due", sa.Column("line", sa.SmallInteger(), server_default="0", nullable=False))
    op.drop_index("due_account", table_name="due", postgresql_where="(campaign_id IS NULL)")
    op.create_index(
        "due_account",
        "due",
        ["line", "account_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("campaign_id IS NULL"),
    )
    op.add_column("message", sa.Column("segments", sa.SmallInteger(), server_default="1", nullable=False))
    op.add_column("message", sa.Column("submitted", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("page", sa.Column("channel", sa.String(), server_default="email", nullable=False))
    op.add_column("submission", sa.Column("channel", sa.String(), server_default="email", nullable=False))
    op.add_column("submission", sa.Column("country", sa.String(), server_default="", nullable=False))
    op.add_column("submission", sa.Column("tag", sa.String(), server_default="", nullable=False))
    op.add_column("submission", sa.Column("task_id", sa.Uuid(), nullable=True))
    op.alter_column("submission", "domain_id", existing_type=sa.UUID(), nullable=True)


def downgrade() -> None:
    op.alter_column("submission", "domain_id", existing_type=sa.UUID(), nullable=False)
    op.drop_column("submission", "task_id")
    op.drop_column("submission", "tag")
    op.drop_column("submission", "country")
    op.drop_column("submission", "channel")
    op.drop_column("page", "channel")
    op.drop_column("message", "submitted")
    op.drop_column("message", "segments")
    op.drop_index("due_account", table_name="due", postgresql_where=sa.text("campaign_id IS NULL"))
    op.create_index(
        "due_account", "due", ["account_id", "due_at"], unique=False, postgresql_where="(campaign_id IS NULL)"
    )
    op.drop_column("due", "line")
    op.drop_index(
        "sms_template_one_submitted", table_name="sms_template_version", postgresql_where=sa.text("state = 'submitted'")
    )
    op.drop_index(
        "sms_template_one_draft", table_name="sms_template_version", postgresql_where=sa.text("state = 'draft'")
    )
    op.drop_table("sms_template_version")
    op.drop_index(op.f("ix_sms_key_sms_user_id"), table_name="sms_key")
    op.drop_table("sms_key")
    op.drop_index("contact_phone", table_name="contact")
    op.drop_index("contact_order", table_name="contact")
    op.drop_table("contact")
    op.drop_index(op.f("ix_sms_user_account_id"), table_name="sms_user")
    op.drop_table("sms_user")
    op.drop_index(op.f("ix_sms_unblock_request_account_id"), table_name="sms_unblock_request")
    op.drop_table("sms_unblock_request")
    op.drop_index("sms_template_name", table_name="sms_template", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_table("sms_template")
    op.drop_index("sms_signature_text", table_name="sms_signature", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_table("sms_signature")
    op.drop_index("sms_route_order", table_name="sms_route")
    op.drop_table("sms_route")
    op.drop_table("sms_request_key")
    op.drop_index("sms_opt_out_newest", table_name="sms_opt_out")
    op.drop_table("sms_opt_out")
    op.drop_table("sms_label")
    op.drop_index("sms_interception_phone", table_name="sms_interception")
    op.drop_index("sms_interception_newest", table_name="sms_interception")
    op.drop_table("sms_interception")
    op.drop_index("contact_list_name", table_name="contact_list", postgresql_where=sa.text("deleted_at IS NULL"))
    op.drop_table("contact_list")
    op.drop_index("sms_reply_account", table_name="sms_reply")
    op.drop_table("sms_reply")
    op.drop_table("sms_recent")
    op.drop_index("sms_receipt_id", table_name="sms_receipt")
    op.drop_index("sms_receipt_at", table_name="sms_receipt")
    op.drop_table("sms_receipt")
    op.drop_index("sms_part_submitted", table_name="sms_part")
    op.drop_index("sms_part_receipt", table_name="sms_part")
    op.drop_table("sms_part")
    op.drop_table("sms_gateway")
