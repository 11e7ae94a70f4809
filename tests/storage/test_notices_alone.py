"""A database in which the outbox told of every submission keeps the notices to persons, on both databases."""

from alembic import command
from sqlalchemy import text

from storage import migrate
from storage.engine import open_engine

BEFORE = "0018_notices"
NOTIFICATION, NOTICE = 2, 3


def test_the_notices_to_persons_are_kept_and_nothing_else(database_url: str) -> None:
    engine = open_engine(database_url)
    insert = text("INSERT INTO outbox (record_key, topic, patient_key, record) VALUES (:key, :topic, 1, '{}')")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), BEFORE)
    with engine.begin() as connection:
        for key, topic in enumerate((NOTIFICATION, NOTICE, NOTIFICATION, NOTICE)):
            connection.execute(insert, {"key": key, "topic": topic})
    migrate.upgrade(engine)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT * FROM outbox ORDER BY record_key"))
        assert [tuple(row) for row in rows] == [(1, 1, "{}"), (3, 1, "{}")]
    engine.dispose()
