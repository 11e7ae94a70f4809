"""What a SOAP request asks for and about whom, for the audit record of what changes nothing. ITI TF-2: 3.20.7.

One row for each transaction. A record is made of whatever was sent: also of what no schema allows.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from lxml import etree

from audit.events import RECORD_TRANSACTIONS
from audit.objects import a_document, a_message_id, a_query, a_removed_object, a_submission_set
from audit.occurrence import Occurrence
from audit.record import Action, Outcome, ParticipantObject
from audit.splits import by_outcome, by_patient
from carnet.audited_answers import Ended
from hl7v3.identity_feed import Interaction, read_identity_feed
from hl7v3.transmission import InstanceIdentifier, identifiers, read_transmission
from repository.document_request import DocumentRequest, read_document_requests
from xds.datatypes import CX
from xds.ebrim.read_query import read_as_sent
from xds.identifiers import is_oid
from xds.vocabulary import RIM

# Ids of documents or objects -> CX of their patients, as far as they are known.
PatientsOf = Callable[[Collection[str]], Mapping[str, str]]
Reader = Callable[[Occurrence, etree._Element, Ended, PatientsOf], Iterable[Occurrence]]

_PATIENT_PARAMETERS = ("$XDSDocumentEntryPatientId", "$XDSSubmissionSetPatientId", "$XDSFolderPatientId", "$patientId")
_QUOTED = re.compile("'((?:[^']|'')*)'")
_ADHOC_QUERY, _OBJECT_REF = f"{{{RIM}}}AdhocQuery", f"{{{RIM}}}ObjectRef"
_PACKAGE, _IDENTIFIER = f"{{{RIM}}}RegistryPackage", f"{{{RIM}}}ExternalIdentifier"
# identificationScheme of SubmissionSet.uniqueId and SubmissionSet.patientId. ITI TF-3: Table 4.2.5.2-1
_SET_UNIQUE_ID = "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8"
_SET_PATIENT_ID = "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446"
_RECORD_PATHS = (
    "controlActProcess/queryByParameter/parameterList/patientIdentifier/value",
    "controlActProcess/subject/registrationRequest/subject1/patient/id",
)
_FEED_ACTIONS = {
    Interaction.ADDED: Action.CREATE,
    Interaction.REVISED: Action.UPDATE,
    Interaction.MERGED: Action.UPDATE,
}


def occurrences_of(
    transaction: str, body: etree._Element, ended: Ended, patients_of: PatientsOf
) -> tuple[Occurrence, ...]:
    """The records that a request needs beside those of its changes. Raises StorageFailed."""
    whole = Occurrence(event=transaction, outcome=ended.outcome, description=ended.description)
    return tuple(READERS[transaction](whole, body, ended, patients_of))


def _query(whole: Occurrence, body: etree._Element, ended: Ended, _patients_of: PatientsOf) -> Iterator[Occurrence]:
    """The question as it was asked; a partial answer is a success and a failure. ITI TF-2: 3.18.5.1.1"""
    octets = etree.tostring(body, encoding="UTF-8", with_tail=False)
    query = read_as_sent(body)
    element = body.find(_ADHOC_QUERY)
    home = "" if element is None else element.get("home", "")
    asked = a_query(whole.event, query.id, octets, home)
    named = [value for name, values in query.slots if name in _PATIENT_PARAMETERS for value in _quoted(values)]
    outcomes = [Outcome.SUCCESS, whole.outcome] if ended.is_partial else [whole.outcome]
    for outcome in outcomes:
        description = "" if outcome is Outcome.SUCCESS else whole.description
        for patient in dict.fromkeys(named) or ("",):
            yield replace(whole, outcome=outcome, description=description, patient=patient, objects=(asked,))


def _quoted(values: Iterable[str]) -> Iterator[str]:
    """The strings of a parameter, as they stand in it: `'a'`, `('a','b')`. ITI TF-2: 3.18.4.1.2.3.5"""
    for value in values:
        for one in _QUOTED.findall(value) or ([value.strip()] if value.strip() else []):
            yield one.replace("''", "'")


def _retrieve(whole: Occurrence, body: etree._Element, ended: Ended, patients_of: PatientsOf) -> Iterator[Occurrence]:
    """Documents by patient, those delivered and those not. ITI TF-2: 3.43.5"""
    requests = {one.document_unique_id: one for one in read_document_requests(body)}
    good = set(requests) if ended.outcome is Outcome.SUCCESS else set(requests) & ended.delivered
    patients = patients_of(list(requests))
    yield from by_outcome(
        whole,
        delivered=_documents(requests[one] for one in requests if one in good),
        failed=_documents(requests[one] for one in requests if one not in good),
        patients=patients,
    )
    if not requests:
        yield whole


def _remove(whole: Occurrence, body: etree._Element, ended: Ended, patients_of: PatientsOf) -> Iterator[Occurrence]:
    """The documents that were not removed; the others are recorded with their removal."""
    requests = {one.document_unique_id: one for one in read_document_requests(body)}
    failed = [one for name, one in requests.items() if name in ended.failed or not ended.is_partial]
    found = by_patient(whole, _documents(failed), patients_of([one.document_unique_id for one in failed]))
    yield from found or (whole,)


def _documents(requests: Iterable[DocumentRequest]) -> list[ParticipantObject]:
    return [
        a_document(one.document_unique_id, one.repository_unique_id, one.home_community_id or "") for one in requests
    ]


def _object_refs(
    whole: Occurrence, body: etree._Element, _ended: Ended, patients_of: PatientsOf
) -> Iterator[Occurrence]:
    named = list(dict.fromkeys(one.get("id", "").strip() for one in body.iter(_OBJECT_REF)))
    found = by_patient(whole, [a_removed_object(one) for one in named], patients_of(named))
    yield from found or (whole,)


def _submission(whole: Occurrence, body: etree._Element, _ended: Ended, _patients: PatientsOf) -> Iterator[Occurrence]:
    """The SubmissionSet and its patient, as they were sent. ITI TF-2: 3.41.5"""
    sent = {
        one.get("identificationScheme"): one.get("value", "")
        for package in body.iter(_PACKAGE)
        for one in package.iterchildren(_IDENTIFIER)
    }
    unique_id = sent.get(_SET_UNIQUE_ID, "")
    objects = (a_submission_set(unique_id),) if unique_id else ()
    yield replace(whole, patient=sent.get(_SET_PATIENT_ID, ""), objects=objects)


def _feed(whole: Occurrence, body: etree._Element, _ended: Ended, _patients: PatientsOf) -> Iterator[Occurrence]:
    """Those that a message of the identity feed names; a merge deletes the one before it updates the other.

    ITI TF-2: 3.44.5
    """
    feed, transmission = read_identity_feed(body), read_transmission(body)
    named = [(Action.DELETE, one) for one in feed.prior]
    named += [(_FEED_ACTIONS[feed.interaction], one) for one in feed.patient]
    told = replace(whole, patient_details=a_message_id("II", _text(transmission.message_id)))
    for action, one in named:
        yield replace(told, action=action, patient=_patient(one))
    if not named:
        yield replace(told, action=_FEED_ACTIONS[feed.interaction])


def _record(whole: Occurrence, body: etree._Element, _ended: Ended, _patients: PatientsOf) -> Iterator[Occurrence]:
    """A message about a record; where it names nobody, the person is the one of the assertion. DMP 3"""
    named = [one for path in _RECORD_PATHS for one in identifiers(body, path)]
    yield replace(whole, patient=_patient(named[0]) if named else "")


def _patient(one: InstanceIdentifier) -> str:
    return CX.of(id=one.extension, authority=one.root).key if one.extension and is_oid(one.root) else one.extension


def _text(identifier: InstanceIdentifier | None) -> str:
    return "" if identifier is None else f"{identifier.root} {identifier.extension}".strip()


READERS: Mapping[str, Reader] = {
    "ITI-18": _query,
    "ITI-51": _query,
    "ITI-43": _retrieve,
    "ITI-86": _remove,
    "ITI-62": _object_refs,
    "ITI-44": _feed,
    **dict.fromkeys((one.name for one in RECORD_TRANSACTIONS), _record),
    **dict.fromkeys(("ITI-41", "ITI-42", "ITI-57", "ITI-61", "ITI-92"), _submission),
}
