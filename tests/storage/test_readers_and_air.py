"""A database of the revision before, on which counters named persons and no structure had AIR, on both databases."""

from alembic import command
from sqlalchemy import text

from dmp.sql import directory
from storage import migrate
from storage.engine import open_engine

BEFORE = "0020_autovacuum"
PERSON, DOCTOR = "258063500000104^^^&1.2.250.1.213.1.4.10&ISO", "899700218896"


def test_counters_forget_the_persons_that_they_named_and_nothing_else(database_url: str) -> None:
    engine = open_engine(database_url)
    creation = text(
        "INSERT INTO record_creation (creation_key, created, channel, regime, territory, actor, structure, age)"
        " VALUES (:key, '20260310100000', 'internet', 'opt_out', '', :actor, '', 40)"
    )
    structure = text("INSERT INTO directory_structure (structure, name, kind) VALUES ('10B0000000', 'X', 'SA01')")
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), BEFORE)
    with engine.begin() as connection:
        for key, actor in enumerate((PERSON, f"{PERSON}^NH", DOCTOR, "3A12/1^2", "")):
            connection.execute(creation, {"key": key, "actor": actor})
        connection.execute(structure)
    migrate.upgrade(engine)
    with engine.begin() as connection:
        actors = connection.execute(text("SELECT actor FROM record_creation ORDER BY creation_key"))
        assert list(actors.scalars()) == ["", "", DOCTOR, "3A12/1^2", ""]
        assert directory.kinds(connection) == {"10B0000000": "SA01"}
        assert not directory.enables_air(connection, "10B0000000")
    engine.dispose()
