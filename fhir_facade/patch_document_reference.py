"""PATCH of a DocumentReference: masked or not, visible, archived, deleted. PDSm flows 3 and 4; PDSm4DMP TD3.3a to d.

What is decided is an Update Document Set [ITI-57], by the rules, the policy and the record of that transaction. The
patch only says it in FHIR: it is applied to the resource, and what differs then is what is asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from access_policy.caller import Caller
from access_policy.document_facts import MASKED, RESTRICTIONS
from access_policy.visibility import EVERYTHING, Purpose
from fhir_facade.archived import archived, archived_values, is_archived, other_extensions
from fhir_facade.fhir_json import read_own_json
from fhir_facade.json_patch import is_same
from fhir_facade.newest import current
from fhir_facade.operation_outcome import FhirProblem, not_found, refusal
from fhir_facade.patches import Patch
from fhir_facade.reader import Reader
from fhir_facade.shared_elements import BASE_URL
from fhir_facade.structural_rules import structural_rules
from fhir_facade.version_tags import check_if_match
from fhir_facade.xds_issues import is_passing, issues_of, told
from registry.hidden_documents import newest_version
from registry.metadata_versions import NORMAL, same_codes, update_document
from registry.snapshot import Snapshot
from registry.store import Registry
from storage.unit_of_work import UnitOfWork
from xds.datatypes import Code
from xds.errors import ErrorCode, Rejected
from xds.identifiers import UUID_PREFIX, is_uuid_urn
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

Resource = Mapping[str, Any]

_ALLOWED = ("status", "securityLabel", "extension")
_APPROVED, _ARCHIVED = AvailabilityStatus.APPROVED, AvailabilityStatus.ARCHIVED
_UNPROCESSABLE = 422
# Of several errors the first of these decides; what the caller may not know of is not there.
_STATUSES = {ErrorCode.UNRESOLVED_REFERENCE: 404, ErrorCode.LOCAL_POLICY_RESTRICTION: 403}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a patch comes to: other confidentiality codes, another status, None where these stay."""

    confidentiality_code: tuple[Code, ...] | None
    status: AvailabilityStatus | None


def handle(
    registry: Registry, fhir_id: str, patch: Patch, caller: Caller, *, base_url: str, if_match: str = ""
) -> dict[str, Any]:
    """Carry out what the patch says; the DocumentReference as it is then.

    `if_match`: the header, empty for any version. Raises FhirProblem, nothing changed: 403 for who may not, 404, 405
    for an element that PDSm does not let be changed, 412 for another version, 422 for what is not possible.
    """
    uuid = f"{UUID_PREFIX}{fhir_id}"
    if not is_uuid_urn(uuid):
        raise not_found()

    def work(unit: UnitOfWork) -> dict[str, Any]:
        registry.lock_all(unit, (), references={uuid})
        before = _before(registry, unit, uuid, caller, base_url)
        check_if_match(if_match, before)
        entry = newest_version(registry, unit, f"{UUID_PREFIX}{before['id']}")
        asked = _asked(before, patch(_view(before)), entry, Reader(resource={}, at="", domain=registry.domain))
        if asked.confidentiality_code is None and asked.status is None:
            return before
        update_document(
            registry,
            unit,
            entry,
            caller,
            confidentiality_code=asked.confidentiality_code,
            status=asked.status,
        )
        return _after(unit, f"{UUID_PREFIX}{before['id']}", base_url)

    try:
        return registry.units.write(work)
    except Rejected as problem:
        _refuse(problem)


def _before(registry: Registry, unit: UnitOfWork, uuid: str, caller: Caller, base_url: str) -> dict[str, Any]:
    visibility = registry.policy.visibility(unit.connection, caller, Purpose.METADATA)
    found = current(Snapshot(unit.connection, visibility), DocumentEntry, uuid)
    if found is None:
        raise not_found()
    before = _read(found.rendering, base_url)
    if before["status"] == "entered-in-error":
        raise FhirProblem(410, "deleted", "the document was deleted, and nothing of it changes any more")
    return before


def _after(unit: UnitOfWork, logical_id: str, base_url: str) -> dict[str, Any]:
    """Told to whoever changed it, also where from now on they may not see it. PDSm 7"""
    found = current(Snapshot(unit.connection, EVERYTHING), DocumentEntry, logical_id)
    if found is None:
        raise not_found()
    return _read(found.rendering, base_url)


def _read(rendering: bytes, base_url: str) -> dict[str, Any]:
    resource: dict[str, Any] = read_own_json(rendering.replace(BASE_URL, base_url.encode()).decode())
    return resource


# --- what is asked for -----------------------------------------------------------------------


def _view(resource: Resource) -> dict[str, Any]:
    """What a patch is applied to: whether it is archived is always said, so that a client may replace it. PDSm 7"""
    extensions = [*resource.get("extension", ())]
    if not archived_values(extensions):
        extensions.append(archived(value=False))
    return {**resource, "extension": extensions, "securityLabel": [*resource.get("securityLabel", ())]}


def _asked(before: Resource, patched: dict[str, Any], entry: DocumentEntry, reader: Reader) -> Asked:
    _check_elements(_view(before), patched)
    after = _tolerated(patched)
    issues = [one for one in structural_rules(after) if one.is_error]
    if issues:
        raise refusal(issues, _UNPROCESSABLE)
    return Asked(confidentiality_code=_codes(after, entry, reader), status=_status(before, after))


def _check_elements(before: Resource, after: Resource) -> None:
    """Nothing else may be changed by this. PDSm 7"""
    changed = [name for name in sorted(before.keys() | after.keys()) if not is_same(before.get(name), after.get(name))]
    forbidden = [name for name in changed if name not in _ALLOWED]
    extensions = (other_extensions(_list_of(one.get("extension"))) for one in (before, after))
    if "extension" in changed and not is_same(*extensions):
        forbidden.append("extension")
    if forbidden:
        sentence = "may not be changed by PATCH: status, securityLabel and the extension isArchived alone may"
        raise FhirProblem(405, "not-supported", f"{forbidden[0]} {sentence}", f"DocumentReference.{forbidden[0]}")


def _list_of(value: Any) -> list[Resource]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _tolerated(resource: dict[str, Any]) -> dict[str, Any]:
    """With a truth that was said as a text, and a status with a blank behind it, as the guides have them. PDSm T01"""
    status = resource.get("status")
    truths = {"true": True, "false": False}
    extensions = [
        archived(value=truths[one["valueBoolean"]]) if one.get("valueBoolean") in tuple(truths) else one
        for one in _list_of(resource.get("extension"))
    ]
    found = {**resource, "status": status.strip() if isinstance(status, str) else status, "extension": extensions}
    return {name: value for name, value in found.items() if value not in (None, [])}


def _status(before: Resource, after: Resource) -> AvailabilityStatus | None:
    """Deleted by the status, archived or not by the extension; one at a time."""
    was = is_archived(before)
    said = archived_values(after.get("extension", ()))
    is_archiving = any(one is not was for one in said) or (was and not said)
    if after["status"] == before["status"]:
        return (_APPROVED if was else _ARCHIVED) if is_archiving else None
    if after["status"] != "entered-in-error" or is_archiving:
        sentence = (
            "status: expected entered-in-error, which deletes the document; a document is superseded by another that "
            "replaces it [ITI-65]"
        )
        raise FhirProblem(_UNPROCESSABLE, "business-rule", sentence, "DocumentReference.status")
    return AvailabilityStatus.DELETED


def _codes(after: Resource, entry: DocumentEntry, reader: Reader) -> tuple[Code, ...] | None:
    """The codes that the labels are, with a level of confidentiality whatever became of it. PDSm T02"""
    labels = after.get("securityLabel", ())
    given = reader.codes(labels, "confidentialityCode", "DocumentReference.securityLabel")
    if len(given) != len(labels):
        sentence = "securityLabel: expected a coding with system and code in each"
        raise FhirProblem(_UNPROCESSABLE, "code-invalid", sentence, "DocumentReference.securityLabel")
    present = {(one.code, one.coding_scheme): one for one in entry.confidentiality_code}
    asked = {(one.code, one.coding_scheme): one for one in given}
    kept = [present.get(key, one) for key, one in asked.items()]
    if all(map(_is_restriction, kept)):
        kept = [*(one for one in present.values() if not _is_restriction(one)), *kept]
    if all(map(_is_restriction, kept)):
        kept = [NORMAL, *kept]
    _check_hiding(present.values(), kept)
    return None if same_codes(kept, present.values()) else tuple(kept)


def _is_restriction(code: Code) -> bool:
    return code.coding_scheme == RESTRICTIONS


def _check_hiding(before: Any, after: Sequence[Code]) -> None:
    """What hides a document from its holder is said when it is submitted, and never later. DMP 8.7"""
    known = {one.code for one in before if _is_restriction(one)}
    for one in after:
        if _is_restriction(one) and one.code not in known and one.code != MASKED:
            sentence = f"securityLabel: found {one.code} added, which a submission alone may say"
            raise FhirProblem(_UNPROCESSABLE, "business-rule", sentence, "DocumentReference.securityLabel")


def _refuse(problem: Rejected) -> NoReturn:
    codes = {one.code for one in told(problem.errors)}
    found = next((status for code, status in _STATUSES.items() if code in codes), _UNPROCESSABLE)
    if found == 404:
        raise not_found() from None
    raise refusal(issues_of(problem.errors, {}), 503 if is_passing(problem.errors) else found) from None
