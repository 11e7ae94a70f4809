"""What decides who sees a document: its traits in a column, the ids of its authors and structures among the values.

Documents that were hidden from their patient before get the day on which they open by themselves: a month after they
were registered. On SQLite the table is written anew, so that the column lies before the renderings: a row is read from
its beginning, and a column behind them would be read with all of them.

Revision ID: 0010_policy
"""

import json
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010_policy"
down_revision = "0009_directory"
branch_labels = None
depends_on = None

_BATCH = 2_000
_DOCUMENT, _AUTHOR, _STRUCTURE = 1, 6, 7
_RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
_OF_CODES = {"MASQUE_PS": 1, "INVISIBLE_PATIENT": 2, "INVISIBLE_REPRESENTANTS_LEGAUX": 4}
_HIDDEN, _DELETED_TRAIT, _BY_PATIENT, _SIGNATURE, _IMAGING = 2, 8, 16, 32, 64
_OF_VERSIONS = 1 | _HIDDEN | 4 | _DELETED_TRAIT
_DELETED = 4
_EPOCH, _LOW_BITS = datetime(2020, 1, 1, tzinfo=UTC), 22

_object = sa.table(
    "registry_object",
    *(sa.column(name) for name in ("patient_key", "object_key", "kind", "status", "is_current", "version")),
    *(sa.column(name) for name in ("logical_id", "visible_from", "traits", "attributes")),
)
_value = sa.table("object_value", *(sa.column(name) for name in ("patient_key", "object_key", "attribute", "value")))


def upgrade() -> None:
    connection = op.get_bind()
    column = sa.Column("traits", sa.SmallInteger, nullable=False, server_default=sa.text("0"))
    if connection.dialect.name == "sqlite":
        with op.batch_alter_table("registry_object", recreate="always") as table:
            table.add_column(column, insert_after="visible_from")
    else:
        op.add_column("registry_object", column)
    for rows in _documents(connection):
        _fill(connection, rows)
    _spread(connection)


def _documents(connection: sa.Connection) -> Iterator[Sequence[Any]]:
    """Documents by their key, a batch at a time."""
    after = (-1, -1)
    o = _object.c
    while True:
        rows = connection.execute(
            sa.select(o.patient_key, o.object_key, o.status, o.attributes)
            .where(o.kind == _DOCUMENT, sa.tuple_(o.patient_key, o.object_key) > sa.tuple_(*after))
            .order_by(o.patient_key, o.object_key)
            .limit(_BATCH)
        ).all()
        if not rows:
            return
        yield rows
        after = (rows[-1].patient_key, rows[-1].object_key)


def _fill(connection: sa.Connection, rows: Sequence[Any]) -> None:
    columns, values = [], []
    for row in rows:
        entry = json.loads(row.attributes)
        traits = _traits(entry) | (_DELETED_TRAIT if row.status == _DELETED else 0)
        keys = {"patient_key": row.patient_key, "object_key": row.object_key}
        until = _a_month_later(row.object_key) if traits & _HIDDEN else None
        if traits:
            columns.append({"p": row.patient_key, "k": row.object_key, "t": traits, "v": until})
        values += [{**keys, "attribute": kind, "value": one} for kind, one in sorted(set(_authors(entry)))]
    if columns:
        at = (_object.c.patient_key == sa.bindparam("p"), _object.c.object_key == sa.bindparam("k"))
        written: dict[str, Any] = {
            "traits": sa.bindparam("t"),
            "visible_from": sa.func.coalesce(_object.c.visible_from, sa.bindparam("v")),
        }
        connection.execute(sa.update(_object).where(*at).values(**written), columns)
    if values:
        connection.execute(sa.insert(_value), values)


def _traits(entry: dict[str, Any]) -> int:
    codes = {(code, system) for code, system, *_ in entry.get("confidentialityCode", ())}
    found = sum(_OF_CODES.get(code, 0) for code, system in codes if system == _RESTRICTIONS)
    found |= _SIGNATURE if entry.get("typeCode", ())[:2] == ["E1762", "ASTM"] else 0
    found |= _IMAGING if entry.get("mimeType", "").lower() == "application/dicom" else 0
    holders = _authority(entry.get("patientId", ""), 4)
    people = {_authority(one.get("authorPerson", ""), 9) for one in entry.get("author", ())}
    return found | (_BY_PATIENT if holders and holders in people else 0)


def _authors(entry: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for one in entry.get("author", ()):
        person = one.get("authorPerson", "")
        if _component(person, 1):
            yield _AUTHOR, f"{_component(person, 1)}^{_authority(person, 9)}"
        for institution in one.get("authorInstitution", ()):
            if _component(institution, 10):
                yield _STRUCTURE, f"{_component(institution, 10)}^{_authority(institution, 6)}"


def _component(text: str, number: int) -> str:
    return (text.split("^") + [""] * number)[number - 1]


def _authority(text: str, number: int) -> str:
    parts = _component(text, number).split("&")
    return parts[1] if len(parts) == 3 and parts[2] == "ISO" else ""


def _a_month_later(object_key: int) -> str:
    """A key begins with the milliseconds since 2020."""
    made = _EPOCH + timedelta(milliseconds=object_key >> _LOW_BITS)
    year, month = made.year + made.month // 12, made.month % 12 + 1
    day = min(made.day, monthrange(year, month)[1])
    return made.replace(year=year, month=month, day=day).strftime("%Y%m%d%H%M%S")


def _spread(connection: sa.Connection) -> None:
    """Every version has the restrictions of its newest."""
    o = _object.c
    newest = sa.select(o.logical_id, o.traits, o.visible_from).where(o.kind == _DOCUMENT, o.is_current, o.version > 1)
    for row in connection.execute(newest).all():
        others = sa.and_(o.logical_id == row.logical_id, o.kind == _DOCUMENT, sa.not_(o.is_current))
        own = o.traits.op("&")(sa.literal_column(str(~_OF_VERSIONS & 127)))
        restricted = {"traits": own.op("|")(row.traits & _OF_VERSIONS), "visible_from": row.visible_from}
        connection.execute(sa.update(_object).where(others).values(**restricted))


def downgrade() -> None:
    op.execute(sa.delete(_value).where(_value.c.attribute.in_((_AUTHOR, _STRUCTURE))))
    with op.batch_alter_table("registry_object") as table:
        table.drop_column("traits")
