"""Renderings and attributes of registry objects are kept deflated. ADR 0019

What is there stays as it is and readable; `carnet db rerender` writes it anew. PostgreSQL does not try to compress what
is compressed, and leaves it in the row. Only the catalogue changes: no row is rewritten, nobody waits.

Revision ID: 0022_deflated_texts
"""

import sqlalchemy as sa
from alembic import op

from storage.deflated import inflated

revision = "0022_deflated_texts"
down_revision = "0021_readers"
branch_labels = None
depends_on = None

_DEFLATED = ("ebrim", "fhir", "whole")
_AT_ONCE = 500
_IN_THE_ROW = 4080  # octets: two rows a page at least
_objects = sa.table(
    "registry_object",
    *(sa.column(name, sa.BigInteger) for name in ("patient_key", "object_key")),
    *(sa.column(name, sa.LargeBinary) for name in _DEFLATED),
    sa.column("attributes", sa.Text),
)
_key = (_objects.c.patient_key, _objects.c.object_key)


def upgrade() -> None:
    op.add_column("registry_object", sa.Column("whole", sa.LargeBinary))
    _alter(f"SET (toast_tuple_target = {_IN_THE_ROW})", *_stored(_DEFLATED, "EXTERNAL"))


def downgrade() -> None:
    """As the version before reads it: every row that was deflated is rewritten."""
    deflated = sa.select(_objects).where(_objects.c.whole.is_not(None)).limit(_AT_ONCE)
    connection = op.get_bind()
    while rows := connection.execute(deflated).all():
        for row in rows:
            plain = {
                "ebrim": inflated(row.ebrim),
                "fhir": row.fhir and inflated(row.fhir),
                "attributes": inflated(row.whole).decode(),
                "whole": None,
            }
            at = sa.and_(*(column == row._mapping[column.name] for column in _key))
            connection.execute(sa.update(_objects).where(at).values(plain))
    op.drop_column("registry_object", "whole")
    _alter("RESET (toast_tuple_target)", *_stored(("ebrim", "fhir"), "EXTENDED"))


def _stored(columns: tuple[str, ...], how: str) -> list[str]:
    return [f"ALTER COLUMN {column} SET STORAGE {how}" for column in columns]


def _alter(*changes: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE registry_object {', '.join(changes)}")
