"""Directory, counters, what jobs have done; hidden documents by the time at which they open.

Revision ID: 0009_directory
"""

import sqlalchemy as sa
from alembic import op

from storage.online_indexes import create_or_leave

revision = "0009_directory"
down_revision = "0008_records"
branch_labels = None
depends_on = None


def _texts(*names: str, primary: bool = False, length: int | None = None) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(length), primary_key=primary, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "document_fed",
        sa.Column("fed_key", sa.BigInteger, primary_key=True, autoincrement=False),
        *_texts("fed", length=14),
        *_texts("actor", "structure", "profession", "speciality", "sector", "type_code", "origin"),
        comment="One row for each document fed, for the counters: it names no person. DMP 1 (S31, S34, S35, S37)",
    )
    op.create_index("ix_document_fed_fed", "document_fed", ["fed"])
    op.create_table(
        "record_read",
        *_texts("month", primary=True, length=6),
        *_texts("actor", "structure", primary=True),
        sa.Column("record_key", sa.BigInteger, primary_key=True, autoincrement=False),
        *_texts("profession", "speciality", "sector"),
        comment="Who read which record in which month, for the counters. DMP 1 (S34, S36)",
    )
    op.create_table(
        "job_done",
        *_texts("job", "subject", primary=True),
        *_texts("done", length=14),
        comment="What a job has done once and for all about something",
    )
    op.create_table(
        "directory_professional",
        *_texts("professional", "structure", "profession", primary=True),
        *_texts("name", "speciality", "activity"),
        comment="Professionals in their situations: PS_IdNat, Struct_IdNat, profession, kind of activity",
    )
    op.create_table(
        "directory_structure",
        *_texts("structure", primary=True),
        *_texts("name", "kind"),
        comment="Structures that may act: Struct_IdNat and kind",
    )
    op.create_table(
        "directory_software",
        *_texts("homologation", primary=True),
        *_texts("name", "version"),
        comment="Software by its homologation number (LPS_ID_HOMOLOGATION_DMP)",
    )
    create_or_leave(op, "ix_registry_object_visible_from")


def downgrade() -> None:
    op.drop_index("ix_registry_object_visible_from", "registry_object", if_exists=True)
    for table in ("directory_software", "directory_structure", "directory_professional"):
        op.drop_table(table)
    for table in ("job_done", "record_read", "document_fed"):
        op.drop_table(table)
