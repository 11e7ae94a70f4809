"""A folder of CDA documents as submissions, one each, with the metadata their headers give."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from carnet.reports import Report, read_report, submission_of
from cda.unreadable import UnreadableDocument
from portable_media.importer import Receiver
from portable_media.medium import Medium, UnreadableFile, whole
from portable_media.subsets import MediumDocument, Subset
from xds.datatypes import Code
from xds.errors import RegistryError, Rejected, metadata_error
from xds.identifiers import new_uuid_urn
from xds.metadata import Submission

LARGEST_REPORT = 32 * 10**6
_NOTHING = Submission(submission_set=None)


def cda_files(medium: Medium) -> tuple[str, ...]:
    """The files of a medium that may be CDA documents."""
    return tuple(sorted(name for name in medium.files if PurePosixPath(name).suffix.lower() == ".xml"))


def cda_subsets(medium: Medium, receiver: Receiver, *, content_type: Code) -> Iterator[Subset]:
    """One submission per document. A document comes after the one it replaces, whatever their files are called.

    Reads every header twice, so that no more than one document is in memory.
    """
    names = cda_files(medium)
    replaced, unique_ids = {}, {}
    for name in names:
        report = _read(medium, name)
        if isinstance(report, Report):
            unique_ids[report.entry.unique_id or ""] = name
            replaced[name] = report.replaces or ""
    for name in _in_order(names, {name: unique_ids.get(target, "") for name, target in replaced.items()}):
        yield _subset(medium, name, receiver, content_type)


def _in_order(names: tuple[str, ...], replaced: dict[str, str]) -> Iterator[str]:
    """Names, each after the one it replaces; a circle is cut, its last member will be refused."""
    done: set[str] = set()
    for name in names:
        chain: list[str] = []
        while name and name not in done and name not in chain:
            chain.append(name)
            name = replaced.get(name, "")
        yield from reversed(chain)
        done.update(chain)


def _read(medium: Medium, name: str) -> Report | tuple[RegistryError, ...]:
    try:
        return read_report(whole(medium, name, at_most=LARGEST_REPORT), entry_uuid=new_uuid_urn())
    except (UnreadableFile, UnreadableDocument) as problem:
        return (metadata_error(f"{name}: {problem}"),)
    except Rejected as rejected:
        return rejected.errors


def _subset(medium: Medium, name: str, receiver: Receiver, content_type: Code) -> Subset:
    report = _read(medium, name)
    if not isinstance(report, Report):
        return Subset(name=name, submission=_NOTHING, errors=report)
    entry = report.entry
    document = MediumDocument(
        entry_uuid=entry.entry_uuid,
        unique_id=entry.unique_id or "",
        mime_type=entry.mime_type or "text/xml",
        file=name,
        size=medium.files[name],
    )
    replaced: dict[str, str] = {}
    if report.replaces:
        found = receiver.held([report.replaces]).get(report.replaces, ())
        if not found:
            context = f"{name}: found that it replaces {report.replaces}, expected a document that is in already"
            return Subset(name=name, submission=_NOTHING, documents=(document,), errors=(metadata_error(context),))
        replaced = {entry.entry_uuid: found[-1].entry_uuid}
    submission = submission_of([report], content_type=content_type, replaced=replaced)
    return Subset(name=name, submission=submission, documents=(document,))
