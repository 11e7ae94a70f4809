"""ExpectedContents: how many objects an answer holds, and how they hang together. All children are required."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from conformance.nist.findings import Finding
from conformance.nist.registry_objects import (
    ASSOCIATION,
    DOCUMENT_ENTRY,
    FOLDER,
    SUBMISSION_SET,
    RegistryObject,
    RegistryObjects,
)
from conformance.nist.registry_response import RegistryResponse
from conformance.nist.testplan import EntryExpectation, Expectation
from conformance.nist.vocabulary import APND, HAS_MEMBER, IS_SNAPSHOT_OF, ON_DEMAND, RPLC, STABLE, XFRM_RPLC
from conformance.sentence import NOTHING, Sentence, joined

_CHECK = "ExpectedContents"
_COUNTED = {
    "Documents": DOCUMENT_ENTRY,
    "Folders": FOLDER,
    "SubmissionSets": SUBMISSION_SET,
    "Associations": ASSOCIATION,
}
# documents, folders, memberships of the whole; documents inside the folder.
_PATTERNS = {
    "SSwithOneDoc": (1, 0, 0),
    "SSwithTwoDoc": (2, 0, 0),
    "SSwithOneFol": (0, 1, 0),
    "SSwithOneDocOneFol": (1, 1, 1),
    "SSwithTwoDocOneFol": (2, 1, 2),
    "SSwithTwoDocOneFolOneDocInFol": (2, 1, 1),
    "SSwithOneDocOnly": (1, 0, 0),
    "SSwithTwoDocOnly": (2, 0, 0),
}
_APPROVED_SET = frozenset(("SSwithOneDoc", "SSwithTwoDoc", "SSwithOneFol"))
_RELATIONS = {"HasRPLC": RPLC, "HasAPND": APND, "HasXFRM_RPLC": XFRM_RPLC, "DocRplcDoc": RPLC}

Problems = Iterator[Sentence]


def check_contents(
    expectations: Sequence[Expectation],
    objects: RegistryObjects,
    response: RegistryResponse,
    *,
    entry_ids: Mapping[EntryExpectation, str],
) -> Iterator[Finding]:
    """`entry_ids` gives the id that the UseId of each entry expectation stands for."""
    for expectation in expectations:
        for problem in _problems(expectation, objects, response, entry_ids):
            yield Finding(check=_CHECK, reason=problem.about(_shown(expectation)), found=_summary(objects))


def _problems(
    expectation: Expectation,
    objects: RegistryObjects,
    response: RegistryResponse,
    entry_ids: Mapping[EntryExpectation, str],
) -> Problems:
    name = expectation.name
    if name in _COUNTED and len(objects.of(_COUNTED[name])) != expectation.count:
        yield _found(len(objects.of(_COUNTED[name])))
    elif name == "ObjectRefs":
        yield from _object_refs(objects, expectation.count or 0)
    elif name in _PATTERNS:
        yield from _pattern(name, objects)
    elif name in _RELATIONS:
        yield from _relation(objects, _RELATIONS[name])
    elif name == "RegistryResponseIsValid" and (not response.status or response.status_word == "Failure"):
        shown = response.status or NOTHING
        yield Sentence(f"le statut est {shown}", f"the status is {shown}")
    elif name == "DocumentEntries":
        yield from _entries(expectation.entries, objects, entry_ids)
    elif name in _SIMPLE:
        yield from _SIMPLE[name](objects)


def _found(what: object) -> Sentence:
    return Sentence(f"trouvé {what}", f"found {what}")


def _object_refs(objects: RegistryObjects, count: int) -> Problems:
    if len(objects.object_refs) != count:
        yield _found(len(objects.object_refs))
    if objects.objects:
        yield Sentence("des objets sont rendus à côté des références", "objects were returned beside the references")


def _none(*kinds: str) -> Callable[[RegistryObjects], Problems]:
    def check(objects: RegistryObjects) -> Problems:
        found = [str(one) for kind in kinds for one in objects.of(kind)]
        if found:
            yield _found(", ".join(found))

    return check


def _every(kind: str, *, approved: bool) -> Callable[[RegistryObjects], Problems]:
    def check(objects: RegistryObjects) -> Problems:
        for one in objects.of(kind):
            if not (one.is_approved if approved else one.is_deprecated):
                yield _status(str(one), one)

    return check


def _status(named: str, one: RegistryObject) -> Sentence:
    status = one.element.get("status")
    return Sentence(f"{named} a le statut {status}", f"{named} has status {status}")


def _exactly_one(kind: str, *, approved: bool) -> Callable[[RegistryObjects], Problems]:
    def check(objects: RegistryObjects) -> Problems:
        found = [one for one in objects.of(kind) if (one.is_approved if approved else one.is_deprecated)]
        if len(found) != 1:
            yield _found(len(found))

    return check


def _snapshot(objects: RegistryObjects) -> Problems:
    """One IsSnapshotOf from a stable to an on-demand entry, both in the result and Approved."""
    found = _of_type(objects, IS_SNAPSHOT_OF)
    if len(found) != 1:
        yield _found(f"{len(found)} IsSnapshotOf")
        return
    entries = {one.id: one for one in objects.of(DOCUMENT_ENTRY)}
    for end, wanted in (("sourceObject", STABLE), ("targetObject", ON_DEMAND)):
        entry = entries.get(found[0].element.get(end, ""))
        if entry is None:
            yield Sentence(f"le {end} n'est pas dans le résultat", f"the {end} is not in the result")
        elif entry.element.get("objectType") != wanted or not entry.is_approved:
            kind, status = entry.element.get("objectType"), entry.element.get("status")
            yield Sentence(
                f"le {end} a objectType {kind}, statut {status}", f"the {end} has objectType {kind}, status {status}"
            )


_SIMPLE: Mapping[str, Callable[[RegistryObjects], Problems]] = {
    "None": _none(SUBMISSION_SET, DOCUMENT_ENTRY, FOLDER, ASSOCIATION),
    "NoSubmissionSet": _none(SUBMISSION_SET),
    "NoDocument": _none(DOCUMENT_ENTRY),
    "SSApproved": _every(SUBMISSION_SET, approved=True),
    "DocApp": _every(DOCUMENT_ENTRY, approved=True),
    "DocDep": _every(DOCUMENT_ENTRY, approved=False),
    "FolApp": _every(FOLDER, approved=True),
    "FolDep": _every(FOLDER, approved=False),
    "OneDocApp": _exactly_one(DOCUMENT_ENTRY, approved=True),
    "OneDocDep": _exactly_one(DOCUMENT_ENTRY, approved=False),
    "HasSnapshotPattern": _snapshot,
}


def _pattern(name: str, objects: RegistryObjects) -> Problems:
    """One SubmissionSet, its members, the memberships of a Folder, and their own memberships."""
    documents, folders, inside = _PATTERNS[name]
    counts = (1, documents, folders, documents + folders + 2 * inside)
    kinds = (SUBMISSION_SET, DOCUMENT_ENTRY, FOLDER, ASSOCIATION)
    wrong = [
        Sentence(f"{len(objects.of(kind))} {kind}, au lieu de {n}", f"{len(objects.of(kind))} {kind}, not {n}")
        for kind, n in zip(kinds, counts, strict=True)
        if len(objects.of(kind)) != n
    ]
    if wrong:
        told = joined(wrong)
        yield Sentence(f"trouvé {told.fr}", f"found {told}")
        return
    submission_set = objects.of(SUBMISSION_SET)[0]
    if name in _APPROVED_SET and not submission_set.is_approved:
        yield _status("SubmissionSet", submission_set)
    members = [*objects.of(DOCUMENT_ENTRY), *objects.of(FOLDER)]
    yield from (_not_a_member(one) for one in members if _member(objects, submission_set, one) is None)
    yield from _folder_memberships(objects, submission_set, inside)


def _not_a_member(one: RegistryObject) -> Sentence:
    return Sentence(
        f"aucun HasMember du SubmissionSet vers {one}", f"there is no HasMember from the SubmissionSet to {one}"
    )


def _folder_memberships(objects: RegistryObjects, submission_set: RegistryObject, inside: int) -> Problems:
    if not inside:
        return
    folder = objects.of(FOLDER)[0]
    memberships = [_member(objects, folder, entry) for entry in objects.of(DOCUMENT_ENTRY)]
    found = [one for one in memberships if one is not None]
    if len(found) != inside:
        yield Sentence(
            f"{len(found)} documents sont dans le Folder, au lieu de {inside}",
            f"{len(found)} documents are in the Folder, not {inside}",
        )
    yield from (_not_a_member(one) for one in found if _member(objects, submission_set, one) is None)


def _member(objects: RegistryObjects, source: RegistryObject, target: RegistryObject) -> RegistryObject | None:
    for one in _of_type(objects, HAS_MEMBER):
        if one.element.get("sourceObject") == source.id and one.element.get("targetObject") == target.id:
            return one
    return None


def _of_type(objects: RegistryObjects, association_type: str) -> list[RegistryObject]:
    return [one for one in objects.of(ASSOCIATION) if one.element.get("associationType") == association_type]


def _relation(objects: RegistryObjects, association_type: str) -> Problems:
    """At least one association of the type, one for each target."""
    found = _of_type(objects, association_type)
    if not found:
        yield Sentence(f"aucune association {association_type}", f"there is no association {association_type}")
    targets = Counter(one.element.get("targetObject") for one in found)
    for target, count in targets.items():
        if count > 1:
            yield Sentence(
                f"{count} associations {association_type} ont la cible {target}",
                f"{count} associations {association_type} have the target {target}",
            )


def _entries(
    expected: Sequence[EntryExpectation], objects: RegistryObjects, ids: Mapping[EntryExpectation, str]
) -> Problems:
    entries = {one.id: one for one in objects.of(DOCUMENT_ENTRY)}
    for one in expected:
        entry = entries.get(ids[one])
        if one.mode == "Exclude":
            if entry is not None:
                named = f"{entry} ({one.use_id.id})"
                yield Sentence(f"{named} ne doit pas être dans le résultat", f"{named} must not be in the result")
        elif entry is None:
            named = f"{one.use_id.id}, {ids[one]},"
            yield Sentence(f"{named} n'est pas dans le résultat", f"{named} is not in the result")
        elif one.object_type and entry.element.get("objectType") != one.object_type:
            kind = entry.element.get("objectType")
            yield Sentence(
                f"{entry} a objectType {kind}, attendu {one.object_type}",
                f"{entry} has objectType {kind}, expected {one.object_type}",
            )
    only = {ids[one] for one in expected if one.mode == "MustOnlyInclude"}
    if only and set(entries) - only:
        others = ", ".join(sorted(set(entries) - only))
        yield Sentence(f"le résultat a d'autres fiches : {others}", f"the result holds other entries too: {others}")


def _shown(expectation: Expectation) -> str:
    return expectation.name if expectation.count is None else f"{expectation.name} = {expectation.count}"


def _summary(objects: RegistryObjects) -> str:
    kinds = (DOCUMENT_ENTRY, SUBMISSION_SET, FOLDER, ASSOCIATION)
    counts = [f"{len(objects.of(kind))} {kind}" for kind in kinds if objects.of(kind)]
    counts += [f"{len(objects.object_refs)} ObjectRef"] if objects.object_refs else []
    return ", ".join(counts) or NOTHING
