"""When an object was rendered last, which FHIR calls meta.lastUpdated and can be searched and sorted by.

Revision ID: 0015_last_updated
"""

from collections.abc import Callable
from functools import reduce

import sqlalchemy as sa
from alembic import op

revision = "0015_last_updated"
down_revision = "0014_versions"
branch_labels = None
depends_on = None

_OBJECT = sa.table("registry_object", sa.column("fhir", sa.LargeBinary), sa.column("last_updated", sa.String))
_MARK = '"lastUpdated":"'
_LENGTH = len("2026-03-10T09:30:00")


def upgrade() -> None:
    op.add_column("registry_object", sa.Column("last_updated", sa.String(14)))
    text, position = _functions(op.get_bind().dialect.name)
    instant = sa.func.substr(text, position(text, _MARK) + len(_MARK), _LENGTH)
    digits = reduce(lambda found, sign: sa.func.replace(found, sign, ""), ("-", "T", ":"), instant)
    op.execute(_OBJECT.update().where(_OBJECT.c.fhir.is_not(None)).values(last_updated=digits))


def _functions(dialect: str) -> tuple[sa.ColumnElement[str], Callable[..., sa.ColumnElement[int]]]:
    """The resource as text, and the function that finds a text in another."""
    if dialect == "sqlite":
        return sa.cast(_OBJECT.c.fhir, sa.Text), sa.func.instr
    return sa.func.convert_from(_OBJECT.c.fhir, "UTF8"), sa.func.strpos


def downgrade() -> None:
    op.drop_column("registry_object", "last_updated")
