"""Who sees and does what at every door of an open server, to which callers name themselves by a VIHF."""

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from access_policy.caller import AuthenticationMode, PurposeOfUse
from access_policy.make_vihf import security_header
from carnet.clock import true_time
from carnet.command_line import commands
from carnet.record_opening import open_known
from carnet.record_wiring import open_records
from carnet.registry_wiring import open_registry
from carnet.settings import Settings
from dmp import life, rights
from dmp.actor import OPERATOR
from dmp.life import Opening
from dmp.record import Channel
from dmp.rights import Whom
from tests import messages, servers, sts
from tests.access_policy.callers import NURSE as NURSING
from tests.access_policy.callers import OCCUPATIONAL, PODIATRIST, SECRETARY
from tests.builders import (
    REPOSITORY,
    TEST_INS,
    a_replacement,
    a_status_update,
    a_submission,
    an_author,
    an_entry,
    an_update,
)
from tests.messages import Answered
from tests.servers import Server
from xds.datatypes import CX, XCN, XON, Code
from xds.ebrim.read import read_document_entries
from xds.ebrim.write import write_submit_objects_request
from xds.metadata import DocumentEntry, Submission
from xds.vocabulary import AssociationType

CONTENT = b"<ClinicalDocument/>"
AUTHOR, STRANGER, NURSE = sts.DOCTOR.identifier, "810000000001", "899700218896"
RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
NORMAL = Code(code="N", coding_scheme="2.16.840.1.113883.5.25", display_name="Normal")
MASKED, HIDDEN, SECRET = (
    Code(code=one, coding_scheme=RESTRICTIONS, display_name=one)
    for one in ("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX")
)
APPROVED = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"
UNKNOWN, NO_UUID = "2.25.98765432123456789", "urn:uuid:00000000-0000-4000-8000-000000000000"
BREAK_GLASS = PurposeOfUse.BREAK_GLASS
_persons = itertools.count(1)


def a_person() -> CX:
    """Another test INS for each test, with its key."""
    number = 2_79_03_51_000_000 + next(_persons) * 97 + datetime.now(UTC).microsecond % 97
    return CX(f"{number:013}{97 - number % 97:02}^^^&{TEST_INS}&ISO^NH")


class World:
    """A patient with a record at a server, and those who ask for it."""

    def __init__(self, server: Server, *authorised: str, **wishes: bool) -> None:
        self.server, self.patient = server, a_person()
        self.change(lambda dmp, unit, registry: self._open(dmp, unit, registry, authorised, wishes))

    def _open(self, dmp: Any, unit: Any, registry: Any, authorised: Sequence[str], wishes: dict[str, bool]) -> None:
        given = Opening(channel=Channel.RECEPTION, how="test")
        now = true_time()
        open_known(registry, dmp, unit, self.patient.key, given, by=OPERATOR, now=now)
        for one in authorised:
            rights.authorise(dmp, unit, self.patient.key, Whom(id=one), by=OPERATOR, now=now)
        if wishes:
            rights.set_wishes(dmp, unit, self.patient.key, wishes, by=OPERATOR, now=now)

    def change(self, work: Callable[[Any, Any, Any], Any]) -> None:
        """What the holder decides, by the commands' functions beside the running server."""
        settings = self.server.registry_settings
        registry = open_registry(settings)
        try:
            registry.units.write(lambda unit: work(open_records(settings), unit, registry))
        finally:
            registry.units.close()

    def vihf(self, subject: str = AUTHOR, **changes: Any) -> bytes:
        return security_header(sts.a_vihf(sts.a_claim(subject=subject, patient_id=self.patient, **changes)))

    def post(self, path: str, body: bytes, action: str, header: bytes, parts: Any = None) -> Answered:
        message = messages.envelope(body, action).replace(b"</e:Header>", header + b"</e:Header>")
        kind = messages.simple_type(action)
        if parts is not None:
            message, kind = messages.multipart(message, parts), messages.multipart_type()
        return messages.read(self.server.post(path, message, kind))

    def feed(self, header: bytes, entry: DocumentEntry, **given: Any) -> Answered:
        submission = a_submission(entry, patient_id=self.patient, **given)
        body = messages.provide_body(submission, {entry.entry_uuid: messages.include("d@test")})
        return self.post("/xds/repository", body, messages.PROVIDE, header, parts=[("d@test", CONTENT)])

    def fed(self, *codes: Code, header: bytes | None = None, **changes: Any) -> DocumentEntry:
        """A document of the author, stored; as the registry has it."""
        given = {"content": CONTENT, "patient_id": self.patient, "confidentiality_code": (NORMAL, *codes)}
        entry = an_entry(**(given | changes))
        answered = self.feed(self.vihf() if header is None else header, entry)
        assert answered.status == "Success", answered.contexts
        return self.stored(entry.unique_id or "")

    def stored(self, unique_id: str) -> DocumentEntry:
        slots = {"$XDSDocumentEntryUniqueId": f"('{unique_id}')"}
        answered = self.post(
            "/xds/registry", messages.query_body(messages.GET_DOCUMENTS, slots), messages.QUERY_ACTION, b""
        )
        [found] = read_document_entries(answered.envelope)
        return found

    def query(self, header: bytes, query: str, return_type: str = "LeafClass", **slots: str) -> Answered:
        body = messages.query_body(query, {f"${name}": value for name, value in slots.items()}, return_type)
        return self.post("/xds/registry", body, messages.QUERY_ACTION, header)

    def find(self, header: bytes, status: str = APPROVED, return_type: str = "LeafClass") -> Answered:
        return self.query(
            header,
            messages.FIND_DOCUMENTS,
            return_type,
            XDSDocumentEntryPatientId=f"'{self.patient.key}'",
            XDSDocumentEntryStatus=status,
        )

    def found(self, header: bytes, status: str = APPROVED) -> set[str | None]:
        return {one.unique_id for one in read_document_entries(self.find(header, status).envelope)}

    def retrieve(self, header: bytes, unique_id: str) -> Answered:
        return self.post(
            "/xds/repository", messages.retrieve_body((REPOSITORY, unique_id)), messages.RETRIEVE, header, parts=[]
        )

    def update(self, header: bytes, submission: Submission) -> Answered:
        owner = replace(submission.submission_set, patient_id=self.patient)  # type: ignore[type-var]
        objects = replace(submission, submission_set=owner).objects
        return self.post("/xds/registry", write_submit_objects_request(objects), messages.UPDATE, header)

    def fhir(self, header: bytes, path: str) -> tuple[int, Any]:
        """With the assertion as a token."""
        inside = header[header.index(b">") + 1 : header.rindex(b"</wsse:Security>")]
        token = base64.urlsafe_b64encode(inside).decode().rstrip("=")
        answered = self.server.request("GET", f"/fhir{path}", headers={"Authorization": f"Bearer {token}"})
        is_json = "json" in answered.headers.get("content-type", "")
        return answered.status, json.loads(answered.body) if is_json else answered.body

    def seen_by_fhir(self, header: bytes) -> set[str]:
        search = f"/DocumentReference?patient.identifier=urn:oid:{TEST_INS}|{self.patient.id}"
        status, bundle = self.fhir(header, search)
        assert status == 200
        assert bundle["total"] == len(bundle.get("entry", ()))
        assert self.fhir(header, f"{search}&_count=0")[1]["total"] == bundle["total"]
        return {one["resource"]["masterIdentifier"]["value"] for one in bundle.get("entry", ())}


def sees_everywhere(world: World, header: bytes, entry: DocumentEntry) -> None:
    """The document is found, counted and read at every door."""
    fhir_id = (entry.logical_id or "").removeprefix("urn:uuid:")
    assert entry.unique_id in world.found(header)
    assert f"urn:oid:{entry.unique_id}" in world.seen_by_fhir(header)
    assert world.fhir(header, f"/DocumentReference/{fhir_id}")[0] == 200
    assert world.retrieve(header, entry.unique_id or "").status == "Success"
    if not hasattr(world.server, "registry"):  # its documents are kept elsewhere
        assert world.fhir(header, f"/Binary/{fhir_id}")[0] == 200


def sees_nothing_of(world: World, header: bytes, entry: DocumentEntry) -> None:
    """Every door answers as for a document that is not there."""
    uuid, unique_id, fhir_id = entry.entry_uuid, entry.unique_id or "", (entry.logical_id or "")[9:]
    nowhere = "00000000-0000-4000-8000-000000000000"
    assert unique_id not in world.found(header)
    assert f"urn:oid:{unique_id}" not in world.seen_by_fhir(header)
    for name in ("/DocumentReference", "/Binary"):
        hidden, unknown = (world.fhir(header, f"{name}/{one}") for one in (fhir_id, nowhere))
        assert hidden == unknown
        assert hidden[0] == 404
    hidden, unknown = (world.retrieve(header, one) for one in (unique_id, UNKNOWN))
    assert (hidden.status, hidden.codes) == (unknown.status, unknown.codes) == ("Failure", ["XDSDocumentUniqueIdError"])
    assert hidden.contexts[0].replace(unique_id, UNKNOWN) == unknown.contexts[0]
    for query, name in (
        (messages.GET_DOCUMENTS, "XDSDocumentEntryEntryUUID"),
        ("urn:uuid:a7ae438b-4bc2-4642-93e9-be891f7bb155", "uuid"),  # GetAssociations
        ("urn:uuid:51224314-5390-4169-9b91-b1980040715a", "uuid"),  # GetSubmissionSets
        ("urn:uuid:bab9529a-4a10-40b3-a01f-f68a615d247a", "XDSDocumentEntryEntryUUID"),
    ):
        answered = world.query(header, query, "ObjectRef", **{name: f"('{uuid}')"})
        assert (answered.status, len(answered.envelope.findall(".//{*}ObjectRef"))) == ("Success", 0)
    everything = world.query(
        header,
        messages.GET_ALL,
        patientId=f"'{world.patient.key}'",
        XDSDocumentEntryStatus=APPROVED,
        XDSSubmissionSetStatus=APPROVED,
        XDSFolderStatus=APPROVED,
    )
    assert uuid.encode() not in everything.response.body
    assert unique_id.encode() not in everything.response.body


def test_an_authorised_professional_sees_a_document_at_every_door_and_others_nothing(server: Server) -> None:
    world = World(server, NURSE)
    entry = world.fed()
    sees_everywhere(world, world.vihf(NURSE, roles=NURSING), entry)
    sees_everywhere(world, world.vihf(), entry)  # the author, without authorisation
    sees_nothing_of(world, world.vihf(STRANGER), entry)


def test_a_masked_document_is_seen_by_its_author_and_nobody_else_until_it_is_unmasked(server: Server) -> None:
    world = World(server, NURSE, STRANGER)
    entry = world.fed(MASKED)
    nurse = world.vihf(NURSE, roles=NURSING)
    sees_nothing_of(world, nurse, entry)
    sees_nothing_of(world, world.vihf(STRANGER), entry)
    sees_everywhere(world, world.vihf(), entry)
    assert (
        world.update(nurse, an_update(entry, confidentiality_code=(NORMAL,))).codes
        == world.update(
            nurse, an_update(replace(entry, logical_id="urn:uuid:00000000-0000-4000-8000-000000000000"))
        ).codes
    )
    assert world.update(world.vihf(), an_update(entry, confidentiality_code=(NORMAL,))).status == "Success"
    sees_everywhere(world, nurse, world.stored(entry.unique_id or ""))


def test_former_versions_of_a_document_that_was_masked_are_not_seen_either(server: Server) -> None:
    world = World(server, NURSE)
    entry, nurse = world.fed(), world.vihf(NURSE, roles=NURSING)
    assert world.update(nurse, an_update(entry, confidentiality_code=(NORMAL, MASKED))).status == "Success"
    slots = {"XDSDocumentEntryUniqueId": f"('{entry.unique_id}')", "MetadataLevel": "'2'"}
    seen = {
        name: len(read_document_entries(world.query(header, messages.GET_DOCUMENTS, **slots).envelope))
        for name, header in (("author", world.vihf()), ("nurse", nurse))
    }
    assert seen == {"author": 2, "nurse": 0}


def test_the_treating_doctor_sees_what_is_masked(server: Server) -> None:
    world = World(server, STRANGER)
    entry = world.fed(MASKED)
    declare = Whom(id=STRANGER)
    world.change(
        lambda dmp, unit, _: rights.declare_treating_doctor(
            dmp, unit, world.patient.key, declare, by=OPERATOR, now=true_time()
        )
    )
    sees_everywhere(world, world.vihf(STRANGER), entry)


def test_who_is_blocked_sees_and_feeds_nothing(server: Server) -> None:
    world = World(server)
    entry = world.fed()
    blocked = Whom(id=AUTHOR)
    world.change(lambda dmp, unit, _: rights.block(dmp, unit, world.patient.key, blocked, by=OPERATOR, now=true_time()))
    for purpose in PurposeOfUse:
        sees_nothing_of(world, world.vihf(purpose=purpose), entry)
    refused = world.feed(world.vihf(), an_entry(content=CONTENT, patient_id=world.patient))
    assert (refused.status, refused.codes) == ("Failure", ["LocalPolicyRestrictionError"])
    assert "caller.blocked" in refused.contexts[0]


def test_a_record_that_is_closed_or_was_never_opened_shows_nothing_and_takes_nothing(server: Server) -> None:
    world = World(server, AUTHOR)
    entry = world.fed()
    world.change(lambda dmp, unit, _: life.close(dmp, unit, world.patient.key, by=OPERATOR, now=true_time()))
    sees_nothing_of(world, world.vihf(), entry)
    refused = world.feed(world.vihf(), an_entry(content=CONTENT, patient_id=world.patient))
    assert "record.closed" in refused.contexts[0]
    assert entry.unique_id in world.found(b"")  # the open caller of an open server


def test_break_glass_opens_what_is_not_masked_and_is_refused_after_opposition(server: Server) -> None:
    world = World(server)
    open_one, masked = world.fed(), world.fed(MASKED)
    broken = world.vihf(STRANGER, purpose=BREAK_GLASS, reason="patient inconscient")
    sees_everywhere(world, broken, open_one)
    sees_nothing_of(world, broken, masked)
    opposed = {"opposes_break_glass": True}
    world.change(
        lambda dmp, unit, _: rights.set_wishes(dmp, unit, world.patient.key, opposed, by=OPERATOR, now=true_time())
    )
    sees_nothing_of(world, broken, open_one)


def test_masked_documents_show_in_an_emergency_where_the_holder_let_them(server: Server) -> None:
    world = World(server, masked_in_emergency=True)
    entry = world.fed(MASKED)
    for purpose in (BREAK_GLASS, PurposeOfUse.REGULATION):
        sees_everywhere(world, world.vihf(STRANGER, purpose=purpose), entry)


def test_the_matrix_decides_by_profession_and_type(server: Server) -> None:
    world = World(server, NURSE)
    letter = Code(code="67851-6", coding_scheme="2.16.840.1.113883.6.1", display_name="CR d'admission")
    closed, opened = world.fed(type_code=letter), world.fed()
    podiatrist = world.vihf(NURSE, roles=PODIATRIST)
    sees_nothing_of(world, podiatrist, closed)
    sees_everywhere(world, podiatrist, opened)


def test_an_occupational_doctor_finds_and_does_not_read(server: Server) -> None:
    world = World(server, STRANGER)
    entry, caller = world.fed(), world.vihf(STRANGER, roles=OCCUPATIONAL)
    assert world.found(caller) == {entry.unique_id}
    assert world.retrieve(caller, entry.unique_id or "").codes == ["XDSDocumentUniqueIdError"]


def indirect(world: World, **changes: Any) -> bytes:
    claim = sts.an_indirect_claim(patient_id=world.patient, roles=SECRETARY, **changes)
    return security_header(sts.a_vihf(claim))


def test_a_structure_finds_references_feeds_as_itself_and_deletes_what_is_its_own(server: Server) -> None:
    world = World(server)
    entry, clinic = world.fed(), indirect(world)
    found = world.find(clinic)
    assert found.status == "Success"
    assert [one.get("id") for one in found.envelope.findall(".//{*}ObjectRef")] == [entry.entry_uuid]
    assert not found.envelope.findall(".//{*}ExtrinsicObject")
    assert world.seen_by_fhir(clinic) == set()
    assert world.retrieve(clinic, entry.unique_id or "").status == "Failure"
    foreign = an_author(author_institution=(XON("Autre^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1750000018"),))
    given: dict[str, Any] = {"content": CONTENT, "patient_id": world.patient}
    assert "feed.structure" in world.feed(clinic, an_entry(author=(foreign,), **given)).contexts[0]
    assert world.feed(clinic, an_entry(**given)).status == "Success"
    assert world.update(clinic, a_status_update(entry.entry_uuid, "Approved", "Deprecated")).status == "Failure"
    assert world.update(clinic, deleted(entry)).status == "Success"
    assert str(world.stored(entry.unique_id or "").availability_status).endswith("Deleted")


def deleted(entry: DocumentEntry, original: str = "Approved") -> Submission:
    return changed(entry, original, "urn:asip:ci-sis:2010:StatusType:Deleted")


def changed(entry: DocumentEntry, original: str, new: str) -> Submission:
    submission = a_status_update(entry.entry_uuid, original, "Deprecated")
    [trigger] = submission.associations
    if not original.startswith("urn:"):
        original = trigger.original_status or ""
    return replace(submission, associations=(replace(trigger, original_status=original, new_status=new),))


def test_air_reads_and_does_not_feed(server: Server) -> None:
    world = World(server, STRANGER)
    entry = world.fed()
    air = world.vihf(STRANGER, mode=AuthenticationMode.AIR, display_name="ÉLISE VILLARD")
    sees_everywhere(world, air, entry)
    assert world.feed(air, an_entry(content=CONTENT, patient_id=world.patient)).contexts == [
        "the caller may not do this"
    ]


def test_s44_air_is_opened_to_structures_by_waves_and_withdrawn_at_once(database_url: str, tmp_path: Path) -> None:
    """At every door of a running server, by a file that the command loads beside it."""
    settings = servers.settings_for(tmp_path, database_url, air_structures="directory")
    with servers.in_process(settings) as running:
        servers.know_patients(settings)
        world = World(running, STRANGER)
        entry, air = world.fed(), world.vihf(STRANGER, mode=AuthenticationMode.AIR, display_name="ÉLISE VILLARD")
        sees_nothing_of(world, air, entry)
        sees_everywhere(world, world.vihf(STRANGER), entry)  # by card
        for said, sees in (("yes", sees_everywhere), ("no", sees_nothing_of), ("yes", sees_everywhere)):
            enable_air(settings, tmp_path, sts.CLINIC.identifier, said)
            sees(world, air, entry)
        enable_air(settings, tmp_path, "1750000018", "yes")
        sees_nothing_of(world, air, entry)


def enable_air(settings: Settings, folder: Path, structure: str, said: str) -> None:
    """A directory of this structure alone."""
    file = folder / "wave.csv"
    heads = "kind,id,name,profession,speciality,activity,structure,version,air"
    file.write_text(f"{heads}\nstructure,{structure},Clinique,,,SA01,,,{said}\n")
    words = ["directory", "load", str(file), "--data", settings.data, "--database", settings.database_url]
    assert CliRunner().invoke(commands, words).exit_code == 0


ARCHIVED = "urn:asip:ci-sis:2010:StatusType:Archived"


def test_an_author_archives_brings_back_and_deletes_and_others_may_not(server: Server) -> None:
    world = World(server, NURSE)
    entry, author, nurse = world.fed(), world.vihf(), world.vihf(NURSE, roles=NURSING)
    refused = world.update(nurse, changed(entry, "Approved", ARCHIVED))
    assert (
        refused.codes,
        refused.contexts[0].endswith("(right:document.archive/direct_cps/non_doctor_ps/normal=own_only)"),
    ) == (
        ["LocalPolicyRestrictionError"],
        True,
    )
    assert world.update(author, changed(entry, "Approved", ARCHIVED)).status == "Success"
    assert entry.unique_id not in world.found(nurse)
    assert entry.unique_id in world.found(nurse, f"('{ARCHIVED}')")
    assert world.update(author, changed(entry, ARCHIVED, "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved")).status
    assert entry.unique_id in world.found(nurse)
    assert world.update(author, deleted(entry)).status == "Success"
    assert entry.unique_id not in world.found(nurse)
    assert world.update(author, changed(entry, "urn:asip:ci-sis:2010:StatusType:Deleted", ARCHIVED)).status == "Failure"


def test_an_update_may_change_restrictions_alone_and_hide_nothing_afterwards(server: Server) -> None:
    world = World(server, NURSE)
    entry, author = world.fed(), world.vihf()
    other_title = world.update(author, an_update(entry, title="Autre titre", confidentiality_code=(NORMAL, MASKED)))
    assert other_title.codes == ["UnmodifiableMetadataError"]
    assert "title: found another value" in other_title.contexts[0]
    for codes in ((NORMAL, HIDDEN), (NORMAL, SECRET), (NORMAL,)):
        refused = world.update(author, an_update(entry, confidentiality_code=codes))
        assert "change.confidentiality" in refused.contexts[0]
    assert world.stored(entry.unique_id or "").version == 1


def test_what_is_hidden_from_the_holder_is_shown_by_a_professional(server: Server) -> None:
    world = World(server, NURSE)
    entry = world.fed(HIDDEN)
    assert (
        world.update(world.vihf(NURSE, roles=NURSING), an_update(entry, confidentiality_code=(NORMAL,))).status
        == "Success"
    )
    assert [one.code for one in world.stored(entry.unique_id or "").confidentiality_code] == ["N"]


def test_feeding_says_one_restriction_at_most_and_the_secret_one_in_a_secret_connection(server: Server) -> None:
    world = World(server)
    given: dict[str, Any] = {"content": CONTENT, "patient_id": world.patient}
    both = world.feed(world.vihf(), an_entry(confidentiality_code=(NORMAL, MASKED, HIDDEN), **given))
    assert "feed.both" in both.contexts[0]
    secret = world.vihf(is_secret_connection=True)
    assert "feed.secret" in world.feed(secret, an_entry(**given)).contexts[0]
    assert world.feed(secret, an_entry(confidentiality_code=(NORMAL, SECRET), **given)).status == "Success"


def test_a_document_that_may_not_be_seen_is_replaced_as_little_as_one_that_is_not_there(server: Server) -> None:
    world = World(server, STRANGER)
    entry = world.fed(MASKED)
    answers = []
    for target in (entry.entry_uuid, "urn:uuid:00000000-0000-4000-8000-000000000000"):
        new = an_entry(content=CONTENT, patient_id=world.patient)
        answered = world.feed(
            world.vihf(STRANGER), new, associations=(replace(a_replacement(new, target), entry_uuid="Replacement"),)
        )
        answers.append((answered.status, answered.codes, [one.replace(target, "") for one in answered.contexts]))
    assert answers[0] == answers[1]
    assert answers[0][0] == "Failure"
    new = an_entry(content=CONTENT, patient_id=world.patient)
    replaced = world.feed(world.vihf(), new, associations=(a_replacement(new, entry.entry_uuid, AssociationType.RPLC),))
    assert replaced.status == "Success"


def test_an_update_of_a_document_that_may_not_be_seen_is_answered_as_of_one_that_is_not_there(server: Server) -> None:
    """ITI-57: an Update and a new version, of a masked document and of none."""
    world = World(server, STRANGER)
    entry, caller = world.fed(MASKED), world.vihf(STRANGER)
    for name in ("status", "version"):
        answers = []
        for uuid, logical in ((entry.entry_uuid, entry.logical_id), (NO_UUID, NO_UUID)):
            target = replace(entry, entry_uuid=uuid, logical_id=logical)
            asked = deleted(target) if name == "status" else an_update(target, confidentiality_code=(NORMAL,))
            answered = world.update(caller, asked)
            told = [re.sub(rf"{uuid}|Association\d+", "", one) for one in answered.contexts]
            answers.append((answered.status, answered.codes, told))
        assert answers[0] == answers[1]
        assert answers[0][0] == "Failure"
    assert MASKED.code in {one.code for one in world.stored(entry.unique_id or "").confidentiality_code}


def test_what_may_not_be_seen_is_included_and_referred_to_by_nothing(server: Server) -> None:
    """Of a masked document and one that is appended to it, a reader of the second is told nothing of the first."""
    world = World(server, STRANGER)
    masked = world.fed(MASKED)
    shown = an_entry(content=CONTENT, patient_id=world.patient)
    appended = a_replacement(shown, masked.entry_uuid, AssociationType.APND)
    assert world.feed(world.vihf(), shown, associations=(appended,)).status == "Success"
    included = "_include=DocumentReference:relatesto&_revinclude=DocumentReference:relatesto&_revinclude=List:item"
    person = f"patient.identifier=urn:oid:{TEST_INS}|{world.patient.id}"
    searches = (f"/DocumentReference?{person}&{included}", f"/List?{person}&code=submissionset&_include=List:item")
    secrets = [
        one.removeprefix("urn:uuid:") for one in (masked.entry_uuid, masked.logical_id or "", masked.unique_id or "")
    ]
    for search in searches:
        told, known = (json.dumps(world.fhir(one, search)) for one in (world.vihf(STRANGER), world.vihf()))
        assert [one for one in secrets if one in told] == []
        assert secrets[1] in known
        assert str(shown.unique_id) in told


def test_a_recipient_leaves_out_what_may_not_be_seen_as_it_does_what_is_not_there(server: Server) -> None:
    world = World(server)
    entry = world.fed(MASKED)
    answers = []
    for target in (entry.entry_uuid, "urn:uuid:00000000-0000-4000-8000-000000000000"):
        new = an_entry(content=CONTENT, patient_id=world.patient)
        link = replace(a_replacement(new, target), entry_uuid="Replacement")
        submission = a_submission(new, patient_id=world.patient, associations=(link,))
        body = messages.provide_body(submission, {new.entry_uuid: messages.include("d@test")})
        parts = [("d@test", CONTENT)]
        answered = world.post("/xds/recipient", body, messages.PROVIDE, world.vihf(STRANGER), parts=parts)
        answers.append((answered.status, answered.codes, answered.contexts))
    assert answers[0] == answers[1]
    assert answers[0][:2] == ("Success", ["PartialReplaceContentNotProcessed"])


def test_a_vihf_that_names_no_known_profession_is_refused_and_one_about_somebody_else_finds_nothing(
    server: Server,
) -> None:
    world = World(server, AUTHOR)
    world.fed()
    strange = world.vihf(roles=(Code(code="999", coding_scheme="1.2.250.1.71.1.2.7"),))
    assert b"FailedAuthentication" in world.find(strange).response.body or world.find(strange).status != "Success"
    other = a_person()
    about_other = security_header(sts.a_vihf(sts.a_claim(patient_id=other)))
    assert world.find(about_other).codes == ["XDSRegistryError"]


def test_removal_is_for_operators(server: Server) -> None:
    world = World(server, AUTHOR)
    entry = world.fed()
    removal = world.post(
        "/xds/repository", messages.remove_body((REPOSITORY, entry.unique_id or "")), messages.REMOVE, world.vihf()
    )
    assert removal.contexts == ["the caller may not do this"]


@pytest.fixture(autouse=True)
def distinct_authors() -> Iterator[None]:
    """The author of `an_entry` is the doctor of the VIHF."""
    person = an_author().author_person
    assert person is not None
    assert XCN(str(person)).id == AUTHOR
    yield
