"""The row of a person and the rights of a caller on it, which nearly every request looks at."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, select
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
    """Columns of the record by name, none without one; (is a block, end) of each right of the two holders.

    Two looks, the second by the key of the record: rights lie with their record on one machine of a cluster.
    """
    dialect = connection.dialect
    found = _record_statement(dialect).rows(connection, asked=patient)
    if not found:
        return {}, ()
    key, *values = found[0]
    rights = _rights_statement(dialect).rows(
        connection,
        key=key,
        professional=holder_text(HolderKind.PROFESSIONAL, professional),
        structure=holder_text(HolderKind.STRUCTURE, structure),
    )
    return dict(zip(_COLUMNS, values, strict=True)), [(bool(is_block), until) for is_block, until in rights]


@lru_cache(maxsize=4)
def _record_statement(dialect: Dialect) -> Prepared:
    joined = record_identifier.join(dmp_record, _r.record_key == _i.record_key)
    columns = select(_r.record_key, *(_r[name] for name in _COLUMNS)).select_from(joined)
    return prepare(columns.where(_i.patient == bindparam("asked", "")), dialect)


@lru_cache(maxsize=4)
def _rights_statement(dialect: Dialect) -> Prepared:
    of_caller = _t.holder.in_((bindparam("professional", ""), bindparam("structure", "")))
    return prepare(
        select(_t.is_block, _t.until).where(_t.record_key == bindparam("key", 0, type_=BigInteger()), of_caller),
        dialect,
    )
