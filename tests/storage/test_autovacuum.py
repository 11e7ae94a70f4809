"""The tables that grow without end are visited by autovacuum long before a fifth of them has changed."""

from alembic import command
from sqlalchemy import Engine, text

from storage import migrate
from storage.engine import open_engine

BEFORE = "0019_notices_alone"
GROWING = {"registry_object", "object_value", "identity", "document", "blob", "audit_record", "document_fed"}


def chosen(engine: Engine) -> dict[str, list[str]]:
    """Settings of the tables that have some."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL"))
        return {name: sorted(options) for name, options in rows if name in GROWING}


def test_growing_tables_have_settings_of_their_own(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    migrate.upgrade(engine)
    assert set(chosen(engine)) == GROWING
    assert chosen(engine)["audit_record"] == [
        "autovacuum_analyze_scale_factor=0.01",
        "autovacuum_vacuum_insert_scale_factor=0.02",
        "autovacuum_vacuum_scale_factor=0.02",
    ]
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), BEFORE)
    assert chosen(engine) == {}
    engine.dispose()


def test_a_process_that_writes_meanwhile_is_not_waited_for(postgresql_url: str) -> None:
    """It is online: a transaction that has written stays open through it."""
    engine = open_engine(postgresql_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), BEFORE)
    with engine.connect() as writer, engine.begin() as connection:
        writer.execute(text("INSERT INTO blob (blob_key) VALUES ('a')"))
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        command.upgrade(migrate._config(connection), migrate.newest())
        writer.commit()
    assert set(chosen(engine)) == GROWING
    engine.dispose()
