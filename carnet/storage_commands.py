"""Commands that look after stored documents: fsck, gc, documents move."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from carnet.document_stores import is_one_place, open_documents, open_existing_store, open_store
from carnet.domains import repository_unique_id
from carnet.existing_stores import existing_units
from carnet.options import json_option, print_result, settings_options
from carnet.registry_elsewhere import RegistryElsewhere
from carnet.roles import Role
from carnet.settings import Settings, SettingsError
from carnet.wiring import settle_awaited
from registry.sql.stored_entries import StoredEntry, named, stable_entries
from repository import awaited, collection, index
from repository.blob_store import BlobStore
from repository.collection import GRACE_SECONDS, Refused, collect
from repository.consistency import Finding, Kind, document_findings, repaired, unreferenced_findings
from repository.consistency import documents as all_documents
from repository.moving import move
from repository.registration import RegistryNotAvailable
from storage.unit_of_work import Units

DOCUMENTS = (
    *("data", "database", "documents", "documents_former", "s3_endpoint", "s3_region", "s3_plain_http"),
    *("roles", "registry_url", "internal_secret_file", "registry_timeout_seconds"),
    *("internal_certificate", "internal_key", "trust", "crl"),
)
_REPAIRABLE = (Kind.MISSING_BLOB, Kind.DAMAGED_BLOB)
_ASKED_AT_ONCE = 200
REFUSED = 1
grace_option = click.option(
    "--grace-hours",
    default=GRACE_SECONDS / 3600,
    show_default=True,
    help="Age from which a blob without document counts; younger ones may belong to a submission under way.",
)


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Units, BlobStore]]:
    """The database and the documents of a repository, beside a running server or without one."""
    if Role.REPOSITORY not in settings.played:
        raise SettingsError(
            f"{settings.role_missing(Role.REPOSITORY)}: give the settings of the one with the documents"
        )
    with existing_units(settings) as units:
        yield units, open_documents(settings)


@contextmanager
def progress_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar of octets on standard error, where that is a terminal; the function takes octets done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda octets: progress.advance(task, octets)


@click.command()
@click.option("--repair", is_flag=True, help="Repair what can be repaired.")
@click.option("--quick", is_flag=True, help="Compare lengths only, instead of reading every octet.")
@grace_option
@json_option
@settings_options(*DOCUMENTS, "domain", "repository_id")
def fsck(settings: Settings, *, repair: bool, quick: bool, grace_hours: float, as_json: bool) -> None:
    """Check that every document has its octets, every entry its document, and every blob a document.

    The server may run meanwhile. Exit code 0 when all is sound or was repaired, 1 when findings remain.
    A document whose metadata was removed (ITI-62) is told and is no fault: Remove Documents (ITI-86) takes it.
    --repair copies the octets of a missing or damaged blob from another blob that has them, and deletes
    blobs without document that are past the grace. What no blob has comes back from a backup:
    carnet documents move --from file:///BACKUP/documents --to the store.

    \b
    carnet fsck
    carnet fsck --quick --json
    carnet fsck --repair --documents s3://carnet-documents/prod
    """
    before = time.time() - grace_hours * 3600
    with opened(settings) as (units, store):
        settle_awaited(settings, units)
        with units.read() as connection:
            held, octets = index.count(connection)
        with progress_bar("documents", octets) as advance:
            found = list(document_findings(units, store, whole=not quick, on_progress=advance))
        found += entry_findings(units, _entries(settings, units))
        found += nameless_findings(units, _names(settings, units))
        if repair:
            found = [_repaired(units, store, one) for one in found]
        found += _unreferenced(units, store, before=before, repair=repair)
    remaining = [one for one in found if one.kind.is_fault and not one.is_repaired]
    _report(found, remaining, held, octets, as_json=as_json)
    if remaining:
        raise click.exceptions.Exit(REFUSED)


def _entries(settings: Settings, units: Units) -> Iterator[list[StoredEntry]]:
    """The entries of this repository, from the database it shares with its registry or from a registry elsewhere."""
    ours = repository_unique_id(settings)
    if Role.REGISTRY not in settings.played:
        return RegistryElsewhere(settings).entries(ours)
    return ([one for one in page if one.repository_unique_id == ours] for page in stable_entries(units))


def entry_findings(units: Units, entries: Iterable[list[StoredEntry]]) -> Iterator[Finding]:
    """Entries of this repository whose document is not here, or is another; removed documents are no finding."""
    for ours in entries:
        with units.read() as connection:
            held = index.held(connection, {one.unique_id for one in ours})
            lacking = [one.unique_id for one in ours if one.unique_id not in held]
            gone = index.removed_among(connection, lacking)
            gone |= {one.document.unique_id for one in awaited.among(connection, lacking)}
        for entry in ours:
            document = held.get(entry.unique_id)
            if document is None and entry.unique_id not in gone:
                yield Finding(kind=Kind.ENTRY_WITHOUT_DOCUMENT, unique_id=entry.unique_id)
            if document is not None and not _agrees(entry, document):
                yield Finding(kind=Kind.ENTRY_DIFFERS, unique_id=entry.unique_id, blob_key=document.blob_key)


def _names(settings: Settings, units: Units) -> Callable[[Collection[str]], Collection[str]]:
    """Which DocumentUniqueIds the registry knows, this one or one elsewhere."""
    if Role.REGISTRY not in settings.played:
        return RegistryElsewhere(settings).named

    def known(unique_ids: Collection[str]) -> Collection[str]:
        with units.read() as connection:
            return named(connection, unique_ids)

    return known


def nameless_findings(units: Units, names: Callable[[Collection[str]], Collection[str]]) -> Iterator[Finding]:
    """Documents that no entry and no waiting submission names any more: their metadata was removed, they were not."""
    held = (one.unique_id for one in all_documents(units))
    while group := list(itertools.islice(held, _ASKED_AT_ONCE)):
        known = names(group)
        with units.read() as connection:
            still_held = index.held(connection, group)
        for unique_id in group:
            if unique_id not in known and unique_id in still_held:
                yield Finding(
                    kind=Kind.DOCUMENT_WITHOUT_ENTRY, unique_id=unique_id, blob_key=still_held[unique_id].blob_key
                )


def _agrees(entry: StoredEntry, document: index.StoredDocument) -> bool:
    return (entry.hash, entry.size) == (document.sha1, document.size)


def _unreferenced(units: Units, store: BlobStore, *, before: float, repair: bool) -> list[Finding]:
    """Blobs without document; with `repair` those that are still there after a collection are not repaired."""
    found = list(unreferenced_findings(units, store, before=before))
    if not found or not repair:
        return found
    _collected(units, store, before=before, force=False)
    left = {one.key for one in store.blobs()}
    return [replace(one, is_repaired=one.blob_key not in left) for one in found]


def _repaired(units: Units, store: BlobStore, finding: Finding) -> Finding:
    return replace(finding, is_repaired=finding.kind in _REPAIRABLE and repaired(units, store, finding))


def _report(found: list[Finding], remaining: list[Finding], held: int, octets: int, *, as_json: bool) -> None:
    """Findings one per line, then what it was about; documents by uniqueId, never by patient."""
    if as_json:
        result = {"documents": held, "octets": octets, "findings": [asdict(one) for one in found]}
        click.echo(json.dumps(result | {"remaining": len(remaining)}, ensure_ascii=False, indent=2))
        return
    for one in found:
        where = " ".join(part for part in (one.unique_id, one.blob_key) if part)
        click.echo(f"{one.kind}: {where}{' (repaired)' if one.is_repaired else ''}")
    kinds = ", ".join(f"{number} × {kind}" for kind, number in Counter(one.kind for one in remaining).items())
    told = sum(not one.kind.is_fault for one in found)
    also = f"; {told} × {Kind.DOCUMENT_WITHOUT_ENTRY}: Remove Documents [ITI-86] takes them" if told else ""
    click.echo(f"{held} documents, {octets} octets checked: {kinds or 'sound'}{also}")


@click.command()
@grace_option
@click.option("--force", is_flag=True, help="Even when most blobs are unknown to the database.")
@json_option
@settings_options(*DOCUMENTS)
def gc(settings: Settings, *, grace_hours: float, force: bool, as_json: bool) -> None:
    """Delete blobs that no document refers to, and what was received but never kept.

    The server may run meanwhile: a blob that a submission commits at that moment is not deleted. Run it
    daily, for example from cron.

    \b
    carnet gc
    carnet gc --grace-hours 48 --json
    """
    before, is_settled = time.time() - grace_hours * 3600, True
    with opened(settings) as (units, store):
        try:
            settle_awaited(settings, units, before=before)
        except RegistryNotAvailable as problem:
            is_settled = False
            _said(f"{problem}; what awaits its answer stays as it is")
        done = _collected(units, store, before=before, force=force)
    sentence = f"{done.blobs} blobs and {done.leftovers} leftovers deleted, {done.failed} could not be"
    print_result(asdict(done), sentence, as_json)
    if done.failed or not is_settled:
        raise click.exceptions.Exit(REFUSED)


def _collected(units: Units, store: BlobStore, *, before: float, force: bool) -> collection.Collected:
    try:
        return collect(units, store, before=before, force=force)
    except Refused as refused:
        raise click.exceptions.Exit(_said(str(refused))) from None


def _said(sentence: str) -> int:
    click.echo(f"carnet: {sentence}", err=True)
    return REFUSED


@click.group()
def documents() -> None:
    """Stored documents."""


@documents.command("move")
@click.option(
    "--to", "target", required=True, metavar="URL", help="Store to move to: file:///FOLDER or s3://BUCKET/PREFIX."
)
@click.option("--from", "source", metavar="URL", help="Store to move from. [default: documents_former, else documents]")
@click.option("--delete", is_flag=True, help="Delete each document from the former store once its copy is verified.")
@json_option
@settings_options(*DOCUMENTS)
def documents_move(settings: Settings, *, target: str, source: str | None, delete: bool, as_json: bool) -> None:
    """Move stored documents to another store while the server runs; every octet of every copy is read back.

    Run it once while the server still uses the former store, restart the server with the new one and
    the former one behind it, and run it again for what came meanwhile. A move that was interrupted goes on
    where it was.

    \b
    carnet documents move --to s3://carnet/prod
    carnet serve … --documents s3://carnet/prod --documents-former file:///srv/carnet/documents
    carnet documents move --to s3://carnet/prod --documents s3://carnet/prod --from file:///srv/documents --delete
    """
    named = source or settings.documents_former or settings.documents_url
    with existing_units(settings) as units:
        former, present = open_existing_store(settings, named), open_store(settings, target)
        if is_one_place(former, present):
            raise SettingsError(f"documents move: found {named} and {target}, which are one store, expected two")
        if delete and not is_one_place(open_store(settings, settings.documents_url), present):
            raise SettingsError(
                f"documents move --delete: found documents {settings.documents_url}, expected {target}: "
                "a server that still reads from the former store would lose its documents"
            )
        settle_awaited(settings, units)
        with units.read() as connection:
            octets = index.count(connection)[1]
        with progress_bar("moved", octets) as advance:
            moved = move(units, former, present, delete=delete, on_progress=advance)
    sentence = f"{moved.copied} documents copied, {moved.present} were there, {moved.deleted} deleted from {named}"
    print_result(asdict(moved), "\n".join([sentence, *(f"not moved, damaged: {one}" for one in moved.failed)]), as_json)
    if moved.failed:
        raise click.exceptions.Exit(REFUSED)
