"""`carnet record`: what the holder decides about one document, and the journal of accesses. DMP 3 (TD3.3), 13."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict

import click

from access_policy.caller import Caller
from carnet.record_options import Attempt, record_act
from carnet.record_wiring import HIDDEN, MASKED, SECRET
from dmp import documents
from dmp.actor import Actor
from dmp.journal import Line, journal
from dmp.record import Act, Record
from dmp.records import Records
from dmp.refusal import RecordRefused, Refusal
from dmp.sql import records as record_rows
from registry.hidden_documents import newest_version
from registry.metadata_versions import restricted, update_document, write_version
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import Code
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

_document = click.argument("document")
_Codes = Collection[Code]
_APPROVED, _ARCHIVED, _DELETED = AvailabilityStatus.APPROVED, AvailabilityStatus.ARCHIVED, AvailabilityStatus.DELETED
# What a document may be before it becomes this. DMP 8.7
_BEFORE = {_ARCHIVED: (_APPROVED,), _APPROVED: (_ARCHIVED,), _DELETED: (_APPROVED, _ARCHIVED)}
_Change = Callable[[Registry, UnitOfWork, DocumentEntry, Caller], object]


@click.command("mask")
@record_act
@_document
def mask(attempt: Attempt, document: str) -> None:
    """Mask DOCUMENT (uniqueId or entryUUID): professionals lose it but its author and the médecin traitant.

    \b
    carnet record mask 258063523804186 2.25.4711 --by holder
    """
    _restrict(attempt, Act.MASK, document, "document masked", add=[MASKED])


@click.command("unmask")
@record_act
@_document
def unmask(attempt: Attempt, document: str) -> None:
    """Unmask DOCUMENT.

    \b
    carnet record unmask 258063523804186 2.25.4711 --by holder
    """
    _restrict(attempt, Act.UNMASK, document, "document unmasked", remove=[MASKED])


@click.command("show-to-patient")
@record_act
@_document
@click.option("--to-representatives", is_flag=True, help="Legal representatives may see it; this is for good.")
def show_to_patient(attempt: Attempt, document: str, to_representatives: bool) -> None:
    """Show DOCUMENT, which was hidden until its announcement, to the holder.

    \b
    carnet record show-to-patient 258063523804186 2.25.4711 --by professional:899700218896
    """
    code = SECRET if to_representatives else HIDDEN
    _restrict(attempt, Act.SHOW_TO_PATIENT, document, "document visible", remove=[code])


def _status_command(name: str, act: Act, sentence: str, status: AvailabilityStatus, told: str) -> click.Command:
    """A command that gives a document another status."""

    def run(attempt: Attempt, document: str) -> None:
        _set_status(attempt, act, document, sentence, status)

    run.__doc__ = f"{told}\n\n\b\ncarnet record {name} 258063523804186 2.25.4711 --by holder"
    return click.command(name)(record_act(_document(run)))


_STATUS_COMMANDS = (
    _status_command(
        "archive",
        Act.ARCHIVE,
        "document archived",
        _ARCHIVED,
        "Archive DOCUMENT: who asks for approved documents alone does not find it.",
    ),
    _status_command(
        "unarchive", Act.UNARCHIVE, "document approved", _APPROVED, "Bring DOCUMENT back from the archive."
    ),
    _status_command(
        "delete",
        Act.DELETE,
        "document deleted",
        _DELETED,
        "Delete DOCUMENT for good: it is shown to professionals who ask for deleted ones alone. Its content is kept.",
    ),
)


def _restrict(
    attempt: Attempt, act: Act, document: str, sentence: str, *, add: _Codes = (), remove: _Codes = ()
) -> None:
    """Other restrictions, as a new version of the metadata. What is so already stays as it is."""

    def change(registry: Registry, unit: UnitOfWork, entry: DocumentEntry, caller: Caller) -> None:
        changed = restricted(entry, add=add, remove=remove)
        if changed is not None:
            write_version(registry, unit, changed, caller)

    _change(attempt, act, document, sentence, change)


def _set_status(attempt: Attempt, act: Act, document: str, sentence: str, status: AvailabilityStatus) -> None:
    """Another status in place. What has it already stays as it is. DMP 8.7"""

    def change(registry: Registry, unit: UnitOfWork, entry: DocumentEntry, caller: Caller) -> None:
        if entry.availability_status is status:
            return
        if entry.availability_status not in _BEFORE[status]:
            expected = " or ".join(_BEFORE[status])
            context = f"document {document}: found {entry.availability_status}, expected {expected}"
            raise Rejected([RegistryError(code=ErrorCode.METADATA_UPDATE, context=context, location=document)])
        update_document(registry, unit, entry, caller, status=status)

    _change(attempt, act, document, sentence, change)


def _change(attempt: Attempt, act: Act, document: str, sentence: str, change: _Change) -> None:
    """The act on the record and what it makes of the metadata, together."""
    registry = attempt.registry

    def work(dmp: Records, unit: UnitOfWork, patient: str, *, by: Actor, now: str) -> Record:
        record = documents.note_document(dmp, unit, patient, document, act=act, by=by, now=now)
        entry = newest_version(registry, unit, document)
        if entry.patient_id is None or entry.patient_id.key != record.patient:
            context = f"document {document}: found none in the record, expected one"
            raise Rejected([RegistryError(code=ErrorCode.UNRESOLVED_REFERENCE, context=context, location=document)])
        change(registry, unit, entry, Caller(name=by.name or str(by.kind), is_open=True))
        return record

    attempt.do(act, work, sentence)


@click.command("journal")
@record_act
def show_journal(attempt: Attempt) -> None:
    """Who did what with the record, newest first: holder and médecin traitant see all, others their own actions.

    \b
    carnet record journal 258063523804186 --by holder
    carnet record journal 258063523804186 --by professional:899700218896 --json
    """

    def read(unit: UnitOfWork) -> tuple[Line, ...]:
        record = record_rows.find(unit.connection, attempt.patient)
        if record is None:
            raise RecordRefused(Refusal.NO_RECORD, f"{attempt.patient}: found no record, expected one")
        attempt.dmp.check_representative(unit, record, attempt.by, attempt.now)
        return journal(unit, record, reader=attempt.by, rules=attempt.dmp.rules, now=attempt.now)

    with attempt.registry.units.read() as connection:
        lines = read(UnitOfWork(connection=connection))
    if attempt.as_json:
        click.echo(json.dumps([asdict(one) for one in lines], ensure_ascii=False, indent=2))
        return
    cells = ((one.recorded, one.kind, one.actor, one.action, one.emergency, one.refusal, one.about) for one in lines)
    click.echo("".join("\t".join(line) + "\n" for line in cells), nl=False)


DOCUMENT_COMMANDS = (mask, unmask, show_to_patient, *_STATUS_COMMANDS, show_journal)
