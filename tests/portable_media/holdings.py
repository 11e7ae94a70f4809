"""Registries with documents to export from and to import into."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from access_policy.visibility import EVERYTHING
from carnet.clock import true_time
from carnet.media_receivers import OPERATOR, LocalReceiver
from carnet.settings import Settings
from carnet.wiring import Actors, open_actors
from portable_media import iti32_distribute_document_set_on_media as iti32
from portable_media.archives import ZipMedium
from portable_media.history import read_history, steps
from portable_media.importer import OutgoingDocument, Report, import_subsets
from portable_media.iti32_distribute_document_set_on_media import Choice
from portable_media.pages import Cover
from portable_media.record import _read  # every version of every object, as the exporter reads them
from portable_media.subsets import MediumDocument, subsets
from tests import newest_schema
from tests.builders import PATIENT
from xds.datatypes import CX
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet

COVER = Cover(institution="CHU d'Exemple, dpo@chu.example", version="0.1.0", date="20260310100000")


@contextmanager
def holding(data: Path, *, patients: Iterable[CX] = (PATIENT,)) -> Iterator[Actors]:
    """Open actors on an empty data folder, codes not checked."""
    settings = Settings(data=str(data), check_codes=False, security="open")
    newest_schema.give(settings)
    actors = open_actors(settings)
    try:
        for patient in patients:
            actors.units.write(lambda unit, patient=patient: actors.registry.add_patient(unit, patient))
        yield actors
    finally:
        actors.units.close()


def submit(actors: Actors, submission: Submission, contents: Mapping[str, bytes]) -> None:
    """Provide and Register, accepted; `contents` by entry id."""
    outgoing = [
        OutgoingDocument(
            MediumDocument(
                entry_uuid=entry.entry_uuid,
                unique_id=entry.unique_id or "",
                mime_type="text/xml",
                file="",
                size=len(contents[entry.entry_uuid]),
            ),
            iter([contents[entry.entry_uuid]]),
        )
        for entry in submission.document_entries
    ]
    errors = LocalReceiver(actors).provide(submission, outgoing)
    assert not errors, errors


def update(actors: Actors, submission: Submission) -> None:
    errors = LocalReceiver(actors).update(submission)
    assert not errors, errors


def export(actors: Actors, target: Path, *, patient: CX = PATIENT, **choice: bool) -> iti32.Exported:
    prepared = iti32.prepare(
        actors.registry, actors.repository, patient, OPERATOR, choice=Choice(**choice), cover=COVER
    )
    return iti32.handle(actors.registry, actors.repository, prepared, target)


def import_into(actors: Actors, archive: Path, *, patient_id: CX | None = None) -> Report:
    medium = ZipMedium(archive)
    try:
        read = steps(subsets(medium, patient_id=patient_id), read_history(medium), patient_id=patient_id)
        return import_subsets(medium, read, LocalReceiver(actors), now=true_time)
    finally:
        medium.close()


def objects(actors: Actors, patient: CX = PATIENT) -> dict[str, RegistryObject]:
    """Every object of a patient by its entryUUID; lastUpdateTime, which the registry sets, left out."""
    with actors.registry.snapshot(EVERYTHING) as snapshot:
        kinds: tuple[type[RegistryObject], ...] = (SubmissionSet, Folder, DocumentEntry, Association)
        found = [thing for kind in kinds for thing in _read(snapshot, kind, patient)]
    return {
        thing.entry_uuid: replace(thing, last_update_time=None) if isinstance(thing, Folder) else thing
        for thing in found
    }


def octets(actors: Actors, patient: CX = PATIENT) -> dict[str, bytes]:
    """uniqueId -> the octets of every document of a patient."""
    unique_ids = {one.unique_id or "" for one in objects(actors, patient).values() if isinstance(one, DocumentEntry)}
    held = actors.repository.held(OPERATOR, unique_ids)
    return {unique_id: b"".join(actors.repository.octets(stored)) for unique_id, stored in held.items()}
