"""Registry rows as versions before 0022 wrote them: texts as they are, the whole truth in `attributes`."""

from sqlalchemy import func, select, update

from registry.sql.tables import registry_object
from registry.sql.texts import DEFLATED
from storage.deflated import inflated
from storage.engine import open_engine

WAYS = ("as it is written", "as the version before wrote it")
_o = registry_object.c


def write_as_before(url: str) -> int:
    """Rewrite every row of the database so; returns how many."""
    engine = open_engine(url)
    with engine.connect() as connection, connection.begin():
        rows = connection.execute(select(registry_object).where(_o.whole.is_not(None))).mappings().all()
        for row in rows:
            texts = {name: row[name] and inflated(row[name]) for name in DEFLATED}
            plain = texts | {"attributes": (texts["whole"] or b"").decode(), "whole": None}
            at = (_o.patient_key == row["patient_key"], _o.object_key == row["object_key"])
            connection.execute(update(registry_object).where(*at).values(plain))
        left = connection.execute(select(func.count()).where(_o.whole.is_not(None))).scalar_one()
    engine.dispose()
    assert left == 0
    return len(rows)
