"""Rows of the revision before are read as they were, and a database goes back to it. Both databases."""

from alembic import command
from sqlalchemy import create_engine, text

from access_policy.visibility import EVERYTHING
from registry.criteria import Criteria, Form, Found
from registry.store import Registry
from storage import migrate
from tests.builders import PATIENT, a_submission, an_author, an_entry
from tests.earlier_rows import write_as_before
from tests.registry.registries import submit
from xds.metadata import Association, DocumentEntry, SubmissionSet

BEFORE = "0021_readers"
KINDS = (DocumentEntry, SubmissionSet, Association)


def shown(registry: Registry) -> list[tuple[Found, ...]]:
    asked = [Criteria(kind=kind, patient=PATIENT.key) for kind in KINDS]
    return [registry.find(one, EVERYTHING, form=form) for one in asked for form in (Form.EBRIM, Form.FHIR)]


def held(registry: Registry, names: set[str]) -> dict[str, object]:
    found: dict[str, object] = registry.units.write(lambda unit: registry.held(unit, names))
    return {name: one.thing for name, one in found.items()}  # type: ignore[attr-defined]


def url_of(registry: Registry) -> str:
    with registry.units.read() as connection:
        return connection.engine.url.render_as_string(hide_password=False)


def test_rows_of_the_version_before_are_read_and_rewritten(registry: Registry) -> None:
    things = submit(registry, a_submission(an_entry(author=(an_author(),))))
    names = {one.entry_uuid for one in things}
    new = shown(registry), held(registry, names)
    assert write_as_before(url_of(registry)) == len(things)
    assert (shown(registry), held(registry, names)) == new
    registry.units.write(lambda unit: registry.render_again(unit, names))
    assert (shown(registry), held(registry, names)) == new
    with registry.units.read() as connection:
        left = connection.execute(text("SELECT kind FROM registry_object WHERE whole IS NULL")).scalars().all()
    assert left == [4]  # of an association nothing is rendered again


def test_a_downgrade_leaves_what_the_version_before_reads(registry: Registry) -> None:
    things = submit(registry, a_submission(an_entry()))
    names = {one.entry_uuid for one in things}
    new, engine = (shown(registry), held(registry, names)), create_engine(url_of(registry))
    with engine.begin() as connection:
        command.downgrade(migrate._config(connection), BEFORE)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT ebrim, fhir, attributes FROM registry_object")).all()
        assert all(row.ebrim[:5] == b"<rim:" and row.attributes.startswith('{"entryUUID":') for row in rows)
        assert sorted(row.fhir or b"" for row in rows) == [b"", b"{}", b"{}"]
        command.upgrade(migrate._config(connection), "head")
    engine.dispose()
    assert (shown(registry), held(registry, names)) == new


def test_postgresql_compresses_nothing_twice_and_leaves_texts_in_the_row(postgresql_url: str) -> None:
    engine = create_engine(postgresql_url)
    migrate.upgrade(engine)
    storage = "SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'registry_object'::regclass"
    with engine.connect() as connection:
        found = dict(connection.execute(text(storage)).tuples().all())
        options = connection.execute(
            text("SELECT reloptions FROM pg_class WHERE relname = 'registry_object'")
        ).scalar_one()
    engine.dispose()
    assert {found[name] for name in ("ebrim", "fhir", "whole")} in ({"e"}, {b"e"})
    assert "toast_tuple_target=4080" in options
