"""The row of a person and the rights of a caller on it, in one look that nearly every request takes."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select
from sqlalchemy.engine.interfaces import Dialect

from dmp.record import HolderKind
from dmp.sql.rights import holder_text
from dmp.sql.tables import dmp_record, record_identifier, record_right
from storage.prepared import Prepared, prepare

WISHES = ("opposes_break_glass", "opposes_regulation", "masked_in_emergency", "occupational_consent")
_COLUMNS = ("patient", "state", "treating_doctor", "birth_date", *WISHES)
_r, _i, _t = dmp_record.c, record_identifier.c, record_right.c


def find(
    connection: Connection, *, patient: str, professional: str, structure: str
) -> tuple[dict[str, Any], Sequence[tuple[bool, str]]]:
    """Columns of the record by name, none without one; (is a block, end) of each right of the two holders."""
    rows = _statement(connection.dialect).rows(
        connection,
        asked=patient,
        professional=holder_text(HolderKind.PROFESSIONAL, professional),
        structure=holder_text(HolderKind.STRUCTURE, structure),
    )
    if not rows:
        return {}, ()
    held = [(bool(is_block), until) for *_, is_block, until in rows if is_block is not None]
    return dict(zip(_COLUMNS, rows[0], strict=False)), held


def _question() -> Select[Any]:
    """One row for each right of the caller on the record, at least one where there is a record."""
    of_caller = _t.holder.in_((bindparam("professional", ""), bindparam("structure", "")))
    joined = record_identifier.join(dmp_record, _r.record_key == _i.record_key)
    joined = joined.outerjoin(record_right, (_t.record_key == _r.record_key) & of_caller)
    columns = (_r[name] for name in _COLUMNS)
    return select(*columns, _t.is_block, _t.until).select_from(joined).where(_i.patient == bindparam("asked", ""))


@lru_cache(maxsize=4)
def _statement(dialect: Dialect) -> Prepared:
    return prepare(_question(), dialect)
