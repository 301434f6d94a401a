"""Certification, money, operators."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calendar_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "calendar_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("year"),
    )
    op.create_table(
        "operator",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("totp_secret", sa.LargeBinary(), nullable=True),
        sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("totp_step", sa.Integer(), nullable=False),
        sa.Column("recovery_digests", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "refused_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("recharge_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("refused_notice_at", "refused_notice", ["at"], unique=False)
    op.create_table(
        "tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("tally_account", "tally", ["account_id", "id"], unique=False)
    op.create_table(
        "certification",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        sa.Column("details", sa.LargeBinary(), nullable=False),
        sa.Column("exception", sa.Boolean(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("row_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_provisional", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("part_reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("certification_account", "certification", ["account_id", "created_at"], unique=False)
    op.create_index(
        "certification_one_draft",
        "certification",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state = 'draft'"),
    )
    op.create_index(
        "certification_one_submitted",
        "certification",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state = 'submitted'"),
    )
    op.create_index(
        "certification_waiting",
        "certification",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'submitted'"),
    )
    op.create_table(
        "hold",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("unit_micro", sa.BigInteger(), nullable=False),
        sa.Column("free", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("unsent", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("sent >= 0 AND unsent >= 0 AND sent + unsent <= messages", name="settled"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
        ),
        sa.PrimaryKeyConstraint("submission_id"),
    )
    op.create_index("hold_open", "hold", ["account_id"], unique=False, postgresql_where=sa.text("closed_at IS NULL"))
    op.create_table(
        "journal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reference", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("memo", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "reference", "round"),
    )
    op.create_index("journal_account", "journal", ["account_id", "id"], unique=False)
    op.create_table(
        "ledger_account",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.Column("carry_micro", sa.BigInteger(), nullable=False),
        sa.Column("held_micro", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "balance_fen * 10000 - carry_micro - held_micro >= 0 OR account_id IS NULL", name="available"
        ),
        sa.CheckConstraint("carry_micro >= 0 AND carry_micro < 10000", name="carry"),
        sa.CheckConstraint("held_micro >= 0", name="held"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ledger_account_name", "ledger_account", ["account_id", "name"], unique=True, postgresql_nulls_not_distinct=True
    )
    op.create_table(
        "operator_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("client", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operator.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_operator_session_operator_id"), "operator_session", ["operator_id"], unique=False)
    op.create_table(
        "price",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("unit_micro", sa.BigInteger(), nullable=False),
        sa.Column("effective_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("price_effective", "price", ["item", "effective_from"], unique=False)
    op.create_table(
        "recharge",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_reason", sa.String(), nullable=False),
        sa.Column("close_wanted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("recharge_account", "recharge", ["account_id", "created_at"], unique=False)
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("certification_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("storage_key", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["certification_id"],
            ["certification.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_document_account_id"), "document", ["account_id"], unique=False)
    op.create_index(op.f("ix_document_certification_id"), "document", ["certification_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("journal_id", sa.Uuid(), nullable=False),
        sa.Column("ledger_account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("balance_after_fen", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["journal_id"],
            ["journal.id"],
        ),
        sa.ForeignKeyConstraint(
            ["ledger_account_id"],
            ["ledger_account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("entry_journal", "entry", ["journal_id"], unique=False)
    op.create_index("entry_ledger_account", "entry", ["ledger_account_id", "id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recharge_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("transaction", sa.String(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["recharge_id"],
            ["recharge.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel", "transaction"),
    )
    op.create_index(op.f("ix_payment_recharge_id"), "payment", ["recharge_id"], unique=False)
    op.add_column("account", sa.Column("free_quota", sa.Integer(), server_default="0", nullable=False))
    op.add_column("account", sa.Column("granted_quota", sa.Integer(), nullable=True))
    op.create_index("audit_entry_account", "audit_entry", ["account_id", "at"], unique=False)
    op.add_column("member", sa.Column("invited_by", sa.Uuid(), nullable=True))
    op.add_column("member", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("onboarding", sa.Column("sms_stage", sa.String(), server_default="sms_certify", nullable=False))
    op.add_column("submission", sa.Column("charged_from", sa.Integer(), nullable=True))
    op.add_column(
        "template_version", sa.Column("due_provisional", sa.Boolean(), server_default="false", nullable=False)
    )

    for table in ("journal", "entry", "price"):
        op.execute(
            f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
        )
    op.execute(
        "CREATE FUNCTION journal_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF (SELECT sum(amount_fen) FROM entry WHERE journal_id = NEW.journal_id) <> 0 THEN"
        " RAISE EXCEPTION 'journal % does not sum to zero', NEW.journal_id; END IF; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER sums_to_zero AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION journal_sums_to_zero()"
    )
    op.execute("UPDATE account SET free_quota = daily_quota")


def downgrade() -> None:
    op.execute("DROP TRIGGER sums_to_zero ON entry")
    op.execute("DROP FUNCTION journal_sums_to_zero()")
    for table in ("journal", "entry", "price"):
        op.execute(f"DROP TRIGGER append_only ON {table}")
        op.execute(f"DROP FUNCTION {table}_is_append_only()")
    op.drop_column("template_version", "due_provisional")
    op.drop_column("submission", "charged_from")
    op.drop_column("onboarding", "sms_stage")
    op.drop_column("member", "removed_at")
    op.drop_column("member", "invited_by")
    op.drop_index("audit_entry_account", table_name="audit_entry")
    op.drop_column("account", "granted_quota")
    op.drop_column("account", "free_quota")
    op.drop_index(op.f("ix_payment_recharge_id"), table_name="payment")
    op.drop_table("payment")
    op.drop_index("entry_ledger_account", table_name="entry")
    op.drop_index("entry_journal", table_name="entry")
    op.drop_table("entry")
    op.drop_index(op.f("ix_document_certification_id"), table_name="document")
    op.drop_index(op.f("ix_document_account_id"), table_name="document")
    op.drop_table("document")
    op.drop_index("recharge_account", table_name="recharge")
    op.drop_table("recharge")
    op.drop_index("price_effective", table_name="price")
    op.drop_table("price")
    op.drop_index(op.f("ix_operator_session_operator_id"), table_name="operator_session")
    op.drop_table("operator_session")
    op.drop_index("ledger_account_name", table_name="ledger_account", postgresql_nulls_not_distinct=True)
    op.drop_table("ledger_account")
    op.drop_index("journal_account", table_name="journal")
    op.drop_table("journal")
    op.drop_index("hold_open", table_name="hold", postgresql_where=sa.text("closed_at IS NULL"))
    op.drop_table("hold")
    op.drop_index("certification_waiting", table_name="certification", postgresql_where=sa.text("state = 'submitted'"))
    op.drop_index(
        "certification_one_submitted", table_name="certification", postgresql_where=sa.text("state = 'submitted'")
    )
    op.drop_index("certification_one_draft", table_name="certification", postgresql_where=sa.text("state = 'draft'"))
    op.drop_index("certification_account", table_name="certification")
    op.drop_table("certification")
    op.drop_index("tally_account", table_name="tally")
    op.drop_table("tally")
    op.drop_index("refused_notice_at", table_name="refused_notice")
    op.drop_table("refused_notice")
    op.drop_table("operator")
    op.drop_table("calendar_year")
    op.drop_table("calendar_day")
