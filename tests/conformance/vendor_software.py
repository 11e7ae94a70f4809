"""Software of a vendor, made of Carnet's own client tools: it plays every step of the scenarios as it should."""

import json
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from lxml import etree

from access_policy.caller import PurposeOfUse
from access_policy.make_vihf import Vihf, make_vihf
from carnet.dmp_client import APPROVED, ARCHIVED, DELETED, INVISIBLE, MASKED, DmpClient, Requester
from carnet.exchange import ClientError, NotTaken
from carnet.pki_folder import read_credential
from carnet.proof import Proof, client_context
from carnet.reports import Report, read_report, with_new_identity
from carnet.signing import signed_submission
from carnet.xds_client import XdsClient
from conformance.client.behaviours import BUSY_SECONDS
from conformance.client.preparation import Prepared
from conformance.client.scenarios import SHIPPED, Patient, People
from hl7v3.person import Person
from tests import forked
from tests.mutual_tls import eventually
from tests.servers import ROOT
from xds.datatypes import CX, XCN, Code
from xds.identifiers import new_oid
from xds.metadata import DocumentEntry, Submission

V3 = "urn:hl7-org:v3"
REPORTS = ROOT / "examples" / "reports"
TEST_INS = "1.2.250.1.213.1.4.10"
PREPARED_DOCUMENT = "Compte rendu préparé pour la certification"


# Reading a key proves it first, which takes longer than what is signed with it.
credential = cache(read_credential)


def code(text: str) -> Code:
    value, _, system = text.partition("^^")
    return Code(code=value, coding_scheme=system)


@dataclass
class Software:
    """Acts as the doctor of the scenarios, against the recorder at `url`."""

    url: str
    prepared: Prepared
    people: People
    fed: list[Report] = field(default_factory=list)
    another: Report = field(default_factory=lambda: a_report())
    found: dict[str, DocumentEntry] = field(default_factory=dict)

    @property
    def doctor(self) -> str:
        return self.people.doctor.id

    def claim(self, patient: Patient, purpose: PurposeOfUse = PurposeOfUse.NORMAL) -> Vihf:
        roles = (code(self.people.doctor.profession), code(self.people.doctor.speciality))
        cx = self.cx(patient)
        return Vihf(
            subject=self.doctor, structure=self.people.structure.id, roles=roles, patient_id=cx, purpose=purpose
        )

    def cx(self, patient: Patient) -> CX:
        return CX.of(id=patient.ins, authority=TEST_INS, type_code="NH")

    def context(self, holder: str = "") -> ssl.SSLContext:
        card = self.prepared.issued(holder or self.doctor, "authentication")
        return client_context(card, None, self.prepared.trust)

    def proof(self, patient: str, purpose: PurposeOfUse = PurposeOfUse.NORMAL) -> Proof:
        return self.proof_of(self.claim(self.people.patient(patient), purpose))

    def proof_of(self, claim: Vihf, holder: str = "") -> Proof:
        """`holder`: whose card is used, as its files are named."""
        signer = credential(self.prepared.issued(holder or self.doctor, "signature"))
        now = datetime.now(UTC).replace(microsecond=0)
        return Proof(context=self.context(holder), assertion=make_vihf(claim, signer.certificate, signer.key, now=now))

    def dmp(self, patient: str, purpose: PurposeOfUse = PurposeOfUse.NORMAL) -> DmpClient:
        return DmpClient(self.url, proof=self.proof(patient, purpose))

    def xds(self, patient: str, purpose: PurposeOfUse = PurposeOfUse.NORMAL) -> XdsClient:
        return XdsClient(self.url, proof=self.proof(patient, purpose))

    def existence(self, patient: str = "followed", purpose: PurposeOfUse = PurposeOfUse.NORMAL) -> str:
        return self.dmp(patient, purpose).existence(self.cx(self.people.patient(patient))).details["AUTORISATION"]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of Carnet about the patient who is followed, as a person types it: what it shows, its exit code."""
        with TemporaryDirectory() as made:
            vihf, card = Path(made) / "vihf.xml", self.prepared.issued(self.doctor, "authentication")
            vihf.write_bytes(etree.tostring(self.proof("followed").assertion))
            proof = ("--assertion", str(vihf), "--client-certificate", str(card))
            return forked.run([*arguments, "--url", self.url, "--authorities", str(self.prepared.trust), *proof])

    def push_command(self, report: Report, *more: str) -> subprocess.CompletedProcess[str]:
        with TemporaryDirectory() as made:
            file = Path(made) / "report.xml"
            file.write_bytes(report.content)
            signer = self.prepared.issued(self.doctor, "signature")
            return self.command("push", str(file), "--sign", str(signer), *more)

    @property
    def followed(self) -> str:
        return self.people.patient("followed").ins

    # --- feeding ---------------------------------------------------------------------------------

    def push(self, *reports: Report) -> Any:
        signer = credential(self.prepared.issued(self.doctor, "signature"))
        return self.xds("followed").push(reports, sign=partial(signed_submission, signer=signer))

    def unknown_server(self) -> None:
        with pytest.raises(NotTaken, match="certificate"):
            self.existence()

    def one_document(self) -> None:
        self.fed.append(a_report())
        assert self.push(self.fed[0]).is_success

    def several_documents(self) -> None:
        assert self.push(a_report("Document01"), a_report("Document02")).is_success

    def replacement(self) -> None:
        assert self.push(next_version(self.fed[0])).is_success

    def employee(self) -> None:
        """As a medical secretary with the card of an employee of the structure [TD2.2]."""
        holder, patient = self.people.employee, self.people.patient("followed")
        claim = replace(self.claim(patient), subject=holder.id, roles=(code(holder.profession),))
        existence = DmpClient(self.url, proof=self.proof_of(claim, holder.name)).existence(self.cx(patient))
        assert existence.code == "OK"
        report, signer = a_report(), credential(self.prepared.issued(holder.name, "signature"))
        person = XCN(f"{holder.id}^{holder.family}^{holder.given}^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^EI")
        by = replace(report.entry.author[0], author_person=person, author_specialty=())

        def sign(submission: Submission, contents: Mapping[str, bytes]) -> tuple[Submission, bytes]:
            """Who feeds is the author of the submission; the document stays the doctor's."""
            assert submission.submission_set is not None
            own = replace(submission, submission_set=replace(submission.submission_set, author=(by,)))
            return signed_submission(own, contents, signer)

        client = XdsClient(self.url, proof=self.proof_of(claim, holder.name))
        answer = client.push((report,), sign=sign)
        assert answer.is_success, answer.errors

    def refusal(self) -> bool:
        done = self.push_command(self.another)
        return done.returncode == 1 and "XDSPatientIdDoesNotMatch" in done.stderr

    def lost_answer(self) -> None:
        assert self.push(self.another).was_stored_before

    def late_answer(self) -> bool:
        done = self.push_command(a_report(), "--timeout", "3")
        return done.returncode == 0 and "stored by an earlier attempt" in done.stdout

    def already_there(self) -> None:
        assert not self.push(self.another).is_success

    def busy(self) -> None:
        report = a_report()
        with pytest.raises(ClientError, match="503"):
            self.push(report)
        time.sleep(BUSY_SECONDS)
        assert self.push(report).is_success

    def refused_assertion(self) -> None:
        with pytest.raises(ClientError, match="refus"):
            self.existence()
        assert self.existence() == "VALIDE"

    # --- reading ---------------------------------------------------------------------------------

    def tests_existence(self) -> None:
        assert self.existence() == "VALIDE"

    def search(self) -> None:
        answer = self.xds("followed").find_documents(self.cx(self.people.patient("followed")))
        self.found = {one.title or "": one for one in answer.documents}
        assert PREPARED_DOCUMENT in self.found

    def reads_document(self) -> None:
        content = self.xds("followed").document(self.found[PREPARED_DOCUMENT])
        assert content == (SHIPPED / "prepared.xml").read_bytes()

    def reads_damaged(self) -> bool:
        with TemporaryDirectory() as made:
            file = Path(made) / "document.xml"
            done = self.command("get", self.found[PREPARED_DOCUMENT].unique_id or "", "-o", str(file))
            return done.returncode == 1 and not file.exists() and "the document is damaged" in done.stderr

    def refused_search(self) -> bool:
        done = self.command("find", self.followed)
        return (done.returncode, done.stdout) == (1, "") and "XDSPatientIdDoesNotMatch" in done.stderr

    def authorisation(self) -> None:
        patient = self.people.patient("unknown-doctor")
        assert self.existence(patient.id) != "VALIDE"
        assert self.dmp(patient.id).authorise().is_success
        assert self.xds(patient.id).find_documents(self.cx(patient)).is_success

    def emergency(self) -> None:
        patient, purpose = self.people.patient("emergency"), PurposeOfUse.BREAK_GLASS
        self.existence(patient.id, purpose)
        assert self.xds(patient.id, purpose).find_documents(self.cx(patient)).is_success

    def noise(self) -> bool:
        done = self.command("dmp", "existence", self.followed)
        return (done.returncode, done.stdout) == (1, "") and "no SOAP" in done.stderr

    def another_answer(self) -> bool:
        done = self.command("dmp", "existence", self.followed)
        return (done.returncode, done.stdout) == (1, "") and "the answer is to another request" in done.stderr

    # --- the record ------------------------------------------------------------------------------

    def person(self) -> tuple[CX, Person, Requester]:
        patient, doctor, structure = self.people.patient("new"), self.people.doctor, self.people.structure
        person = Person(
            birth_family=patient.family, given=(patient.given,), gender=patient.gender, birth_time=patient.born
        )
        requester = Requester(
            id=doctor.id,
            family=doctor.family,
            given=doctor.given,
            structure=structure.id,
            structure_name=structure.name,
        )
        return self.cx(patient), person, requester

    def creation(self) -> None:
        assert self.dmp("new").create(*self.person()).code == "AA"

    def data(self) -> None:
        assert self.dmp("new").data(self.cx(self.people.patient("new"))).code == "OK"

    def authorises_itself(self) -> None:
        assert self.dmp("new").authorise().is_success

    def records(self) -> None:
        assert self.dmp("new").records(since="20260101000000").is_success

    def professionals(self) -> None:
        assert self.dmp("new").professionals().is_success

    def change(self) -> None:
        patient, person, by = self.person()
        told = replace(person, telecoms=("mailto:anatole@example.org",))
        done = self.dmp("new").change(patient, told, by, opposes_break_glass=False, opposes_regulation=False)
        assert done.code == "AA"

    def account(self) -> None:
        assert self.dmp("new").create_access(channel="anatole@example.org").is_success

    def channel(self) -> None:
        assert self.dmp("new").change_channel(channel="0639981234", kind="SMS").is_success

    def new_password(self) -> None:
        assert self.dmp("new").renew_access().is_success

    def without_ins(self) -> None:
        claim = replace(self.claim(self.people.patient("new"), PurposeOfUse.REGULATION), patient_id=None)
        assert DmpClient(self.url, proof=self.proof_of(claim)).look_for(self.person()[1]).code == "OK"

    def showing(self) -> None:
        self.existence()
        report = a_report()
        entry = replace(report.entry, confidentiality_code=(*report.entry.confidentiality_code, INVISIBLE))
        assert self.push(replace(report, entry=entry)).is_success
        answer = self.xds("followed").find_documents(self.cx(self.people.patient("followed")))
        [found] = [one for one in answer.documents if one.unique_id == entry.unique_id]
        answer = self.dmp("followed").restrict(found)
        assert answer.is_success, answer.errors

    def masking(self) -> None:
        self.existence()
        self.search()
        answer = self.dmp("followed").restrict(self.found[PREPARED_DOCUMENT], MASKED)
        assert answer.is_success, answer.errors

    def archiving(self) -> None:
        self.search()
        answer = self.dmp("followed").set_status(self.found[PREPARED_DOCUMENT], before=APPROVED, after=ARCHIVED)
        assert answer.is_success, answer.errors

    def deletion(self) -> None:
        answer = self.dmp("followed").set_status(self.found[PREPARED_DOCUMENT], before=ARCHIVED, after=DELETED)
        assert answer.is_success, answer.errors

    def closure(self) -> None:
        assert self.dmp("new").close(*self.person(), reason="demande du patient").code == "AA"

    def reactivation(self) -> None:
        assert self.dmp("new").reactivate(*self.person()).code == "AA"


PLAYS: Mapping[str, Callable[[Software], Any]] = {
    "alimentation/unknown-server": Software.unknown_server,
    "alimentation/existence": Software.tests_existence,
    "alimentation/one-document": Software.one_document,
    "alimentation/several-documents": Software.several_documents,
    "alimentation/replacement": Software.replacement,
    "alimentation/employee": Software.employee,
    "alimentation/refusal": Software.refusal,
    "alimentation/lost-answer": Software.lost_answer,
    "alimentation/late-answer": Software.late_answer,
    "alimentation/already-there": Software.already_there,
    "alimentation/busy": Software.busy,
    "alimentation/refused-assertion": Software.refused_assertion,
    "consultation/existence": Software.tests_existence,
    "consultation/search": Software.search,
    "consultation/document": Software.reads_document,
    "consultation/damaged": Software.reads_damaged,
    "consultation/refused-search": Software.refused_search,
    "consultation/authorisation": Software.authorisation,
    "consultation/emergency": Software.emergency,
    "consultation/noise": Software.noise,
    "consultation/another-answer": Software.another_answer,
    "administration/creation": Software.creation,
    "administration/data": Software.data,
    "administration/change": Software.change,
    "administration/account": Software.account,
    "administration/channel": Software.channel,
    "administration/new-password": Software.new_password,
    "administration/without-ins": Software.without_ins,
    "administration/showing": Software.showing,
    "administration/reactivation": Software.reactivation,
    "administration/authorisation": Software.authorises_itself,
    "administration/records": Software.records,
    "administration/professionals": Software.professionals,
    "administration/masking": Software.masking,
    "administration/archiving": Software.archiving,
    "administration/deletion": Software.deletion,
    "administration/closure": Software.closure,
}


def a_report(entry_uuid: str = "Document01") -> Report:
    """The consultation report of the examples as a new document."""
    content = (REPORTS / "cr-consultation.xml").read_bytes()
    return with_new_identity(read_report(content, entry_uuid=entry_uuid))


def next_version(report: Report) -> Report:
    """The same document, its number one higher, that replaces it."""
    root = etree.fromstring(report.content)
    identifier, number = root.find(f"{{{V3}}}id"), root.find(f"{{{V3}}}versionNumber")
    old = identifier.get("root")
    identifier.set("root", new_oid())
    number.set("value", str(int(number.get("value")) + 1))
    related = etree.fromstring(
        f'<relatedDocument xmlns="{V3}" typeCode="RPLC"><parentDocument><id root="{old}"/></parentDocument>'
        "</relatedDocument>"
    )
    root.findall(f"{{{V3}}}documentationOf")[-1].addnext(related)
    return read_report(etree.tostring(root, encoding="UTF-8", xml_declaration=True), entry_uuid="Document01")


def state_of(page: str, language: str = "en") -> dict[str, Any]:
    with urllib.request.urlopen(f"{page}state?language={language}", timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def decide(page: str, path: str, value: dict[str, Any]) -> None:
    """As the button of the page does."""
    body, headers = json.dumps(value).encode(), {"X-Certification": "1"}
    request = urllib.request.Request(f"{page}{path}", data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=120):
        pass


def play(software: Software, page: str, plays: Mapping[str, Callable[[Software], Any]] = PLAYS) -> None:
    """Every step as a person would: look at the page, use the software, confirm; what it showed answers a question."""
    while (step := state_of(page)["step"]) is not None:
        shown = plays[step["key"]](software)
        assert isinstance(shown, bool) == bool(step["question"]), step["key"]
        eventually(lambda: state_of(page)["step"]["ready"])
        decide(page, "confirm", {"step": step["key"], "answer": shown if step["question"] else None})
