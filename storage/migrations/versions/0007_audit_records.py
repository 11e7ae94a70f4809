"""Audit records with their chain, the cursors of their receivers; notifications are alone in the outbox.

Revision ID: 0007_audit
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_audit"
down_revision = "0006_assertions"
branch_labels = None
depends_on = None

_UNSEALED = sa.text("sequence IS NULL")


def upgrade() -> None:
    op.create_table(
        "audit_record",
        sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("recorded", sa.BigInteger, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("outcome", sa.SmallInteger, nullable=False),
        sa.Column("caller", sa.String, nullable=False),
        sa.Column("patient", sa.String, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("octets", sa.BigInteger),
        sa.Column("seal", sa.LargeBinary(32)),
        sa.Column("message", sa.LargeBinary, nullable=False),
        comment="Audit records: the AuditMessage as it is sent, its place in the chain. ITI TF-2: 3.20",
    )
    op.create_index("ix_audit_record_sequence", "audit_record", ["sequence"], unique=True)
    op.create_index(
        "ix_audit_record_unsealed", "audit_record", ["record_key"], sqlite_where=_UNSEALED, postgresql_where=_UNSEALED
    )
    op.create_index("ix_audit_record_caller", "audit_record", ["caller", "recorded"])
    op.create_index("ix_audit_record_patient", "audit_record", ["patient", "recorded"])
    op.create_table(
        "audit_receiver",
        sa.Column("receiver", sa.String, primary_key=True),
        sa.Column("confirmed", sa.BigInteger, nullable=False),
        comment="Audit record repositories, and the last sequence each has for sure",
    )
    op.create_table(
        "audit_quarantine",
        sa.Column("receiver", sa.String, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        comment="Records that a receiver would not take, kept and passed over",
    )
    op.execute("DELETE FROM outbox WHERE topic = 1")


def downgrade() -> None:
    for table in ("audit_quarantine", "audit_receiver", "audit_record"):
        op.drop_table(table)
