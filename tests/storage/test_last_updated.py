"""A database from before _lastUpdated says of each object when it was rendered last, on both databases."""

from alembic import command
from sqlalchemy import text

from fhir_facade.rendering import render_fhir
from storage import migrate
from storage.engine import open_engine
from tests.builders import an_entry
from tests.storage.test_policy_columns import KEY, put

BEFORE = "0014_versions"


def test_objects_get_the_time_that_their_rendering_has(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), BEFORE)
    entry = an_entry()
    with engine.begin() as connection:
        put(connection, "rendered", entry, object_key=KEY, fhir=render_fhir(entry, [], "20260310093000"))
        put(connection, "not", entry, object_key=KEY + 1, unique_id="2.25.7", fhir=None)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT entry_uuid, last_updated FROM registry_object ORDER BY object_key"))
        assert [tuple(row) for row in rows] == [("rendered", "20260310093000"), ("not", None)]
    engine.dispose()
