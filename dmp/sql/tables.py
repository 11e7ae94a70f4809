"""The tables of the records: one row for each, and what its holder decided beside it.

A record belongs to a person, whose identifiers may change: `record_identifier` leads from each to the record.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, SmallInteger, String, Table, Text, text

metadata = MetaData()
_DUE = text("due <> ''")


def _number() -> Column[int]:
    """How many a row of a counter stands for: one when it is written, those of a day when they are folded."""
    return Column("number", BigInteger, nullable=False, server_default=text("1"))


dmp_record = Table(
    "dmp_record",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("patient", String, nullable=False, unique=True),
    Column("state", String, nullable=False),
    *(Column(name, String(14), nullable=False) for name in ("informed", "opposed", "opened")),
    *(Column(name, String(14), nullable=False) for name in ("suspended", "closed", "erasure_requested", "erased")),
    *(Column(name, String(14), nullable=False) for name in ("since", "due", "treating_doctor_since")),
    *(Column(name, String, nullable=False) for name in ("informed_through", "channel", "regime", "consent")),
    *(Column(name, String, nullable=False) for name in ("opened_by", "opened_how", "closing_reason")),
    *(Column(name, String, nullable=False) for name in ("treating_doctor", "treating_doctor_from", "territory")),
    Column("birth_date", String(8), nullable=False),
    *(Column(name, Boolean, nullable=False) for name in ("opposes_break_glass", "opposes_regulation")),
    *(Column(name, Boolean, nullable=False) for name in ("masked_in_emergency", "occupational_consent")),
    Column("is_attached", Boolean, nullable=False),
    Index("ix_dmp_record_due", "due", sqlite_where=_DUE, postgresql_where=_DUE),
    Index("ix_dmp_record_treating_doctor", "treating_doctor"),
    comment="The shared record of one person. DMP 1, 13",
)

record_identifier = Table(
    "record_identifier",
    metadata,
    Column("patient", String, primary_key=True),
    Column("record_key", BigInteger, nullable=False),
    Column("since", String(14), nullable=False),
    Column("until", String(14), nullable=False),
    Index("ix_record_identifier_record", "record_key"),
    comment="CX key of a person, present or former -> record",
)

record_right = Table(
    "record_right",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", String, primary_key=True),
    Column("is_block", Boolean, nullable=False),
    *(Column(name, String(14), nullable=False) for name in ("since", "until", "last_action")),
    *(Column(name, String, nullable=False) for name in ("display", "speciality")),
    Index("ix_record_right_holder", "holder", "last_action"),
    comment="Authorisations and blocks; holder is professional:PS_IdNat or structure:Struct_IdNat. DMP 3 (TD0.3)",
)

record_representative = Table(
    "record_representative",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("representative", String, primary_key=True),
    Column("relation", String, nullable=False),
    *(Column(name, String(14), nullable=False) for name in ("since", "until")),
    Index("ix_record_representative_representative", "representative"),
    comment="Who acts for the holder, by CX key",
)

record_person = Table(
    "record_person",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, String, nullable=False) for name in ("birth_family", "usual_family")),
    Column("birth_time", String(8), nullable=False),
    Column("person", Text, nullable=False),
    Index("ix_record_person_birth_family", "birth_family"),
    Index("ix_record_person_usual_family", "usual_family"),
    comment="Administrative data of a person as JSON, and the traits that a search asks for. DMP 3 (TD1.3, TD0.5)",
)

record_access = Table(
    "record_access",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("login", String, nullable=False, unique=True),
    *(Column(name, String, nullable=False) for name in ("salt", "password")),
    Column("since", String(14), nullable=False),
    comment="The web account of the holder; the password as its scrypt digest. DMP 3 (TD1.5)",
)

record_channel = Table(
    "record_channel",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, primary_key=True),
    Column("address", String, nullable=False),
    comment="Where one-time passwords of the holder go: SMS or EMAIL. DMP 3 (TD1.5b)",
)

record_event = Table(
    "record_event",
    metadata,
    Column("event_key", BigInteger, primary_key=True, autoincrement=False),
    Column("record_key", BigInteger, nullable=False),
    Column("recorded", String(14), nullable=False),
    *(Column(name, String, nullable=False) for name in ("patient", "act", "actor_kind", "actor", "structure")),
    *(Column(name, String, nullable=False) for name in ("before", "after", "refusal")),
    Column("details", Text, nullable=False),
    Index("ix_record_event_record", "record_key", "event_key"),
    Index("ix_record_event_act", "act", "recorded"),
    comment="Every act on a record, for good. record 0: of a person without one",
)

record_creation = Table(
    "record_creation",
    metadata,
    Column("creation_key", BigInteger, primary_key=True, autoincrement=False),
    Column("created", String(14), nullable=False),
    *(Column(name, String, nullable=False) for name in ("channel", "regime", "territory", "actor", "structure")),
    Column("age", SmallInteger, nullable=False),
    _number(),
    Index("ix_record_creation_created", "created"),
    comment="One row for each record ever created, for the counters: it names no person. DMP 1 (S07 to S10, S34)",
)

document_fed = Table(
    "document_fed",
    metadata,
    Column("fed_key", BigInteger, primary_key=True, autoincrement=False),
    Column("fed", String(14), nullable=False),
    *(Column(name, String, nullable=False) for name in ("actor", "structure", "profession", "speciality")),
    *(Column(name, String, nullable=False) for name in ("sector", "type_code", "origin")),
    _number(),
    Index("ix_document_fed_fed", "fed"),
    comment="One row for each document fed, for the counters: it names no person. DMP 1 (S31, S34, S35, S37)",
)

record_read = Table(
    "record_read",
    metadata,
    Column("month", String(6), primary_key=True),
    Column("actor", String, primary_key=True),
    Column("structure", String, primary_key=True),
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, String, nullable=False) for name in ("profession", "speciality", "sector")),
    comment="Who read which record in which month, for the counters. DMP 1 (S34, S36)",
)

record_reader = Table(
    "record_reader",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    Column("reader", String, primary_key=True),
    Column("last_read", String(14), nullable=False),
    comment="When each last read; reader is professional:PS_IdNat or structure:Struct_IdNat. DMP 3 (TD0.4)",
)

job_done = Table(
    "job_done",
    metadata,
    Column("job", String, primary_key=True),
    Column("subject", String, primary_key=True),
    Column("done", String(14), nullable=False),
    comment="What a job has done once and for all about something",
)

directory_professional = Table(
    "directory_professional",
    metadata,
    Column("professional", String, primary_key=True),
    Column("structure", String, primary_key=True),
    Column("profession", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("name", "speciality", "activity")),
    comment="Professionals in their situations: PS_IdNat, Struct_IdNat, profession, kind of activity",
)

directory_structure = Table(
    "directory_structure",
    metadata,
    Column("structure", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("name", "kind")),
    Column("air", Boolean),
    comment="Structures that may act: Struct_IdNat and kind; whether AIR is enabled for them. DMP 1 (S44)",
)

notice_delivery = Table(
    "notice_delivery",
    metadata,
    Column("record_key", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, String, nullable=False) for name in ("state", "due", "reason")),
    Column("attempts", BigInteger, nullable=False),
    Index("ix_notice_delivery_due", "state", "due"),
    comment="How far a notice of the outbox got: waiting, sent or dead; when it is tried again, and why it failed",
)

directory_software = Table(
    "directory_software",
    metadata,
    Column("homologation", String, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("name", "version")),
    comment="Software by its homologation number (LPS_ID_HOMOLOGATION_DMP)",
)
