"""The shared records of persons: states, rights, representatives, events, creations.

Revision ID: 0008_records
"""

import sqlalchemy as sa
from alembic import op

revision = "0008_records"
down_revision = "0007_audit"
branch_labels = None
depends_on = None

_DUE = sa.text("due <> ''")


def _texts(*names: str, length: int | None = None) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(length), nullable=False) for name in names]


def _flags(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names]


def _key(name: str, *, primary: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=primary, autoincrement=False, nullable=False)


def upgrade() -> None:
    op.create_table(
        "dmp_record",
        _key("record_key"),
        sa.Column("patient", sa.String, nullable=False, unique=True),
        *_texts("state"),
        *_texts("informed", "opposed", "opened", "suspended", "closed", "erasure_requested", "erased", length=14),
        *_texts("since", "due", "treating_doctor_since", length=14),
        *_texts("informed_through", "channel", "regime", "consent", "opened_by", "opened_how", "closing_reason"),
        *_texts("treating_doctor", "treating_doctor_from", "territory"),
        *_texts("birth_date", length=8),
        *_flags("opposes_break_glass", "opposes_regulation", "masked_in_emergency", "occupational_consent"),
        *_flags("is_attached"),
        comment="The shared record of one person. DMP 1, 13",
    )
    op.create_index("ix_dmp_record_due", "dmp_record", ["due"], sqlite_where=_DUE, postgresql_where=_DUE)
    op.create_index("ix_dmp_record_treating_doctor", "dmp_record", ["treating_doctor"])
    op.create_table(
        "record_identifier",
        sa.Column("patient", sa.String, primary_key=True),
        _key("record_key", primary=False),
        *_texts("since", "until", length=14),
        comment="CX key of a person, present or former -> record",
    )
    op.create_index("ix_record_identifier_record", "record_identifier", ["record_key"])
    op.create_table(
        "record_right",
        _key("record_key"),
        sa.Column("holder", sa.String, primary_key=True),
        *_flags("is_block"),
        *_texts("since", "until", "last_action", length=14),
        *_texts("display", "speciality"),
        comment="Authorisations and blocks; holder is professional:PS_IdNat or structure:Struct_IdNat. DMP 3 (TD0.3)",
    )
    op.create_index("ix_record_right_holder", "record_right", ["holder", "last_action"])
    op.create_table(
        "record_representative",
        _key("record_key"),
        sa.Column("representative", sa.String, primary_key=True),
        *_texts("relation"),
        *_texts("since", "until", length=14),
        comment="Who acts for the holder, by CX key",
    )
    op.create_index("ix_record_representative_representative", "record_representative", ["representative"])
    _create_events()


def _create_events() -> None:
    op.create_table(
        "record_event",
        _key("event_key"),
        _key("record_key", primary=False),
        *_texts("recorded", length=14),
        *_texts("patient", "act", "actor_kind", "actor", "structure", "before", "after", "refusal"),
        sa.Column("details", sa.Text, nullable=False),
        comment="Every act on a record, for good. record 0: of a person without one",
    )
    op.create_index("ix_record_event_record", "record_event", ["record_key", "event_key"])
    op.create_index("ix_record_event_act", "record_event", ["act", "recorded"])
    op.create_table(
        "record_creation",
        _key("creation_key"),
        *_texts("created", length=14),
        *_texts("channel", "regime", "territory", "actor", "structure"),
        sa.Column("age", sa.SmallInteger, nullable=False),
        comment="One row for each record ever created, for the counters: it names no person. DMP 1 (S07 to S10, S34)",
    )
    op.create_index("ix_record_creation_created", "record_creation", ["created"])


def downgrade() -> None:
    for table in ("record_creation", "record_event", "record_representative", "record_right"):
        op.drop_table(table)
    for table in ("record_identifier", "dmp_record"):
        op.drop_table(table)
