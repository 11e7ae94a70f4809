"""`carnet export` and `carnet import`: records out of and into the registry as files. ITI TF-2: 3.32."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from carnet.cda_folder import cda_files, cda_subsets
from carnet.clock import true_time
from carnet.existing_actors import existing_actors
from carnet.existing_stores import existing_registry
from carnet.media_receivers import OPERATOR, LocalReceiver, RemoteReceiver
from carnet.options import (
    STORE,
    authority_option,
    code_of,
    content_type_option,
    json_option,
    patient_id_of,
    print_result,
    registry_option,
    settings_options,
)
from carnet.proof import Proof, proof_options
from carnet.settings import Settings, load
from carnet.wiring import open_repository_beside
from portable_media import iti32_distribute_document_set_on_media as iti32
from portable_media.archives import ZipMedium
from portable_media.folders import FolderMedium
from portable_media.history import Update, read_history, steps
from portable_media.importer import Fate, Outcome, Receiver, Report, import_subsets
from portable_media.iti32_distribute_document_set_on_media import Choice
from portable_media.medium import Medium, MediumLimits, MediumRefused
from portable_media.pages import Cover
from portable_media.subsets import Subset, metadata_files, subsets
from registry.store import Registry
from repository.store import Repository
from xds.datatypes import CX, Code

REFUSED = 1
_MEGABYTE, _GIGABYTE = 10**6, 10**9


@click.command("export")
@click.argument("identifier", metavar="PATIENT")
@click.option(
    "--xdm",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="ZIP file to write, an IHE XDM medium.",
)
@click.option("--deprecated", is_flag=True, help="Replaced, deprecated, archived and deleted ones too.")
@click.option(
    "--one-set", is_flag=True, help="All documents under one new SubmissionSet, instead of each under its own."
)
@click.option(
    "--institution", default="", help="Who hands the medium out and how to reach them, for README.TXT and INDEX.HTM."
)
@click.option(
    "--repository",
    "beside",
    default=None,
    type=click.Path(exists=True, dir_okay=False),
    help="Settings file of the repository, where it is another process than the registry.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file where there is one.")
@authority_option
@json_option
@settings_options(*STORE, "replica")
def export(settings: Settings, identifier: str, target: Path, authority: str, as_json: bool, **given: Any) -> None:
    """Write a patient's record to a ZIP file that anybody can read and any XDM importer can take in.

    Each document is read and compared first. A damaged one is left out and named, the others are on the medium, and
    the exit code is 1. Only the repository of this machine is read: what another one keeps is left out and named.

    \b
    carnet export 258063523804186 --xdm record.zip
    carnet export 258063523804186 --xdm record.zip --deprecated --institution 'CHU Exemple, dpo@chu.example'
    carnet export 258063523804186 --xdm copy.zip --one-set --json
    carnet export 258063523804186 --xdm record.zip --config registry.toml --repository repository.toml
    """
    if given["deprecated"] and given["one_set"]:
        raise click.UsageError("--one-set holds current documents only: leave --deprecated out")
    if target.exists() and not given["overwrite"]:
        raise click.UsageError(f"{target} exists: choose another name, or --overwrite")
    patient_id = patient_id_of(identifier, authority)
    cover = Cover(institution=given["institution"] or "-", version=version("carnet"), date=true_time())
    choice = Choice(deprecated_too=given["deprecated"], one_set=given["one_set"])
    with _stores(settings, given["beside"]) as (registry, repository):
        prepared = iti32.prepare(registry, repository, patient_id, OPERATOR, choice=choice, cover=cover)
        with _progress("exporting", prepared.octets) as advance:
            exported = iti32.handle(registry, repository, prepared, target, advance)
    sentence = f"wrote {exported.documents} document(s) of {exported.submission_sets} submission(s) to {target}"
    lines = [sentence, *(f"left out {one.unique_id}: {one.reason}" for one in exported.left_out)]
    lines += [
        f"left out {one.association_type} from {one.source} to {one.target}: {one.reason}"
        for one in exported.lost_links
    ]
    print_result({"file": str(target), **_shown(asdict(exported))}, "\n".join(lines), as_json)
    if exported.damaged:
        raise click.exceptions.Exit(REFUSED)


@contextmanager
def _stores(settings: Settings, beside: str | None) -> Iterator[tuple[Registry, Repository]]:
    """The registry of the settings, and the repository of the same or of a settings file of its own."""
    if beside is None:
        with existing_actors(settings, from_replica=True) as actors:
            yield actors.together()
        return
    with existing_registry(settings, from_replica=True) as registry:
        repository = open_repository_beside(registry, load({}, config=beside))
        try:
            yield registry, repository
        finally:
            repository.units.close()


def _shown(exported: dict[str, Any]) -> dict[str, Any]:
    left_out = [
        {"uniqueId": one["unique_id"], "reason": one["reason"], "isDamaged": one["is_damaged"]}
        for one in exported["left_out"]
    ]
    lost_links = [
        {"type": one["association_type"], "source": one["source"], "target": one["target"], "reason": one["reason"]}
        for one in exported["lost_links"]
    ]
    return {
        "submissionSets": exported["submission_sets"],
        "documents": exported["documents"],
        "octets": exported["octets"],
        "leftOut": left_out,
        "lostLinks": lost_links,
    }


@click.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--url", default="", help="URL of a server to send to; without it the stores of --data are opened.")
@proof_options
@registry_option
@click.option("--patient", "identifier", default="", help="Identifier that the patient of the medium has here.")
@click.option(
    "--max-total-gb", default=100, show_default=True, type=click.IntRange(1), help="Largest medium, in GB unpacked."
)
@content_type_option
@authority_option
@json_option
@settings_options(*STORE, "max_document_mb")
def import_(
    settings: Settings, source: Path, url: str, proof: Proof, registry: str, as_json: bool, **given: Any
) -> None:
    """Import an IHE XDM medium (a ZIP file or a folder), or a folder of CDA documents.

    A folder holds IHE_XDM, or METADATA.XML beside its documents, or CDA files, whose headers then give the metadata.
    Every submission goes through the rules of Provide and Register [ITI-41]. What is in already with the same octets
    is skipped: an import that was interrupted goes on when it is started again. Exit code 1: something was refused.

    \b
    carnet import record.zip
    carnet import record.zip --patient 258063523804186 --url http://127.0.0.1:8080
    carnet import /media/usb --json
    carnet import reports/
    carnet import record.zip --url http://127.0.0.1:8081 --registry http://127.0.0.1:8080    # two processes
    """
    limits = MediumLimits(
        document_octets=settings.max_document_mb * _MEGABYTE, total_octets=given["max_total_gb"] * _GIGABYTE
    )
    patient_id = patient_id_of(given["identifier"], given["authority"]) if given["identifier"] else None
    medium = FolderMedium(source, limits) if source.is_dir() else ZipMedium(source, limits)
    try:
        with _receiver(settings, url, registry, proof) as receiver:
            read = _subsets(medium, receiver, patient_id, code_of(given["content_type"]))
            with _progress("importing", sum(medium.files.values())) as advance:
                report = import_subsets(
                    medium, read, receiver, now=true_time, on_subset=lambda subset: advance(subset.size)
                )
    finally:
        medium.close()
    _finish(report, as_json=as_json)


@contextmanager
def _receiver(settings: Settings, url: str, registry: str, proof: Proof) -> Iterator[Receiver]:
    if url:
        yield RemoteReceiver(url, registry=registry, proof=proof)
        return
    with existing_actors(settings) as actors:
        yield LocalReceiver(actors)


def _subsets(
    medium: Medium, receiver: Receiver, patient_id: CX | None, content_type: Code
) -> Iterable[Subset | Update]:
    """The submissions of an XDM medium, or else CDA documents. Raises MediumRefused where there are neither."""
    if metadata_files(medium):
        return steps(subsets(medium, patient_id=patient_id), read_history(medium), patient_id=patient_id)
    if not cda_files(medium):
        raise MediumRefused("found neither METADATA.XML nor CDA documents (.xml)")
    if patient_id is not None:
        raise MediumRefused("found CDA documents, whose headers name the patient: leave --patient out")
    return cda_subsets(medium, receiver, content_type=content_type)


def _finish(report: Report, *, as_json: bool) -> None:
    """One report at the end; submissions that were refused come with every reason."""
    counted = ", ".join(f"{len(report.of(fate))} {fate}" for fate in Fate)
    lines = [f"submissions: {counted}"]
    for outcome in report.of(Fate.SKIPPED):
        lines.append(f"skipped {outcome.subset}: in already")
    for outcome in report.of(Fate.REFUSED):
        lines += [f"refused {outcome.subset}: {error.code}: {error.context}" for error in outcome.reasons]
    lines += [f"note: {note}" for note in report.notes]
    result = {str(fate): [_row(outcome) for outcome in report.of(fate)] for fate in Fate}
    print_result({**result, "notes": report.notes}, "\n".join(lines), as_json)
    if report.of(Fate.REFUSED):
        raise click.exceptions.Exit(REFUSED)


def _row(outcome: Outcome) -> dict[str, Any]:
    reasons = [{"code": str(e.code), "context": e.context, "location": e.location} for e in outcome.reasons]
    return {"subset": outcome.subset, "documents": list(outcome.documents)} | ({"reasons": reasons} if reasons else {})


@contextmanager
def _progress(what: str, octets: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere; give it the octets done since the last call."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=octets)
        yield lambda done: bar.update(task, advance=done)
