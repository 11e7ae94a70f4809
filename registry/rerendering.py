"""Rendering anew what is stored, after a version that renders otherwise, or renders more."""

from collections.abc import Iterator, Sequence
from functools import partial

from registry.sql.stored_entries import rendered_objects
from registry.store import Registry
from storage.unit_of_work import UnitOfWork


def render_everything(registry: Registry) -> Iterator[int]:
    """Rewrites ebRIM and FHIR of every object, a page in a unit of work; yields how many were done each time.

    Submissions go on meanwhile: those for the patients of a page wait until it is written.
    """

    for page in rendered_objects(registry.units):
        registry.units.write(partial(_rewrite, registry, page))
        yield len(page)


def _rewrite(registry: Registry, entry_uuids: Sequence[str], unit: UnitOfWork) -> None:
    registry.lock_all(unit, (), references=entry_uuids)
    registry.render_again(unit, entry_uuids)
