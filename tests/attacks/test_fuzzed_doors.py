"""2,000 messages broken at random for every door, 100,000 in the long form: answers of the closed list, nothing else.

The seed is fixed, printed and in every failure; `CARNET_FUZZ_SEED` gives another. Assertions and signatures of
submissions, where what is accepted must mean the same, are in tests/access_policy/test_fuzzed_assertions.py, heads of
HTTP in tests/flows/test_raw_http.py.
"""

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from lxml import etree

from access_policy.make_vihf import make_vihf
from carnet.clock import true_time
from carnet.media_receivers import LocalReceiver
from carnet.pki import Use
from carnet.record_services import record_operations
from portable_media.archives import ZipMedium
from portable_media.history import read_history, steps
from portable_media.importer import import_subsets
from portable_media.medium import MediumRefused
from portable_media.subsets import subsets
from subscriptions.dsub import SUBSCRIBE, UNSUBSCRIBE
from subscriptions.dsub_filters import WSNT
from tests import fhir_bundles, messages, sts
from tests.attacks.conftest import Target
from tests.attacks.doors import TOLD, TRANSACTIONS, Answer, Doors
from tests.attacks.mutants import SEED, mutants
from tests.builders import PATIENT, a_submission, an_entry
from tests.flows.subscribed import wanted
from tests.flows.test_dsub import PATIENT_SLOT, subscribe_body
from tests.hl7v3 import record_messages as written
from tests.hl7v3.written import ii, v3_message
from tests.mllp import adt
from tests.portable_media.holdings import export, holding, submit
from xds.ebrim.write import write_submit_objects_request
from xds.identifiers import new_uuid_urn

ROOT = Path(__file__).resolve().parents[2]
COUNT, LONG = 2_000, 100_000
FIND = {
    "$XDSDocumentEntryPatientId": f"'{PATIENT}'",
    "$XDSDocumentEntryStatus": "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
    "$XDSDocumentEntryAuthorPerson": "('%Doe%')",
}
SEARCH = f"patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}&date=ge2026-01-01&type=http://loinc.org|18842-5"


def _envelope(transaction: str, body: bytes) -> bytes:
    return messages.envelope(body, TRANSACTIONS[transaction][1])


def _submissions() -> tuple[bytes, ...]:
    return (write_submit_objects_request(a_submission(an_entry(content=b"x")).objects),)


def _questions() -> tuple[bytes, ...]:
    return (
        _envelope("ITI-18", messages.query_body(messages.FIND_DOCUMENTS, FIND)),
        _envelope("ITI-18", messages.query_body(messages.GET_DOCUMENTS, {"$XDSDocumentEntryUniqueId": "('1.2.3')"})),
        *(_envelope("ITI-42", one) for one in _submissions()),
        _envelope("ITI-57", _submissions()[0]),
    )


def _retrievals() -> tuple[bytes, ...]:
    return (
        _envelope("ITI-43", messages.retrieve_body(("1.2.3", "1.2.4"), ("1.2.3", "1.2.5"))),
        _envelope("ITI-86", messages.remove_body(("1.2.3", "1.2.4"))),
    )


@cache
def _mtom() -> tuple[bytes, ...]:
    entry = an_entry(content=b"<ClinicalDocument/>")
    body = messages.provide_body(a_submission(entry), {entry.entry_uuid: messages.include("d@test")})
    whole = messages.multipart(_envelope("ITI-41", body), [("d@test", b"<ClinicalDocument/>"), ("e@test", b"x" * 300)])
    inline = messages.provide_body(a_submission(entry), {entry.entry_uuid: "PENsaW5pY2FsRG9jdW1lbnQvPg=="})
    others = (whole.replace(b"binary", b"base64"), whole.replace(b"binary", b"quoted-printable"))
    return (whole, *others, messages.multipart(_envelope("ITI-41", inline)))


def _feed_v3() -> tuple[bytes, ...]:
    names = ("PRPA_IN201301UV02", "PRPA_IN201302UV02", "PRPA_IN201304UV02")
    return tuple(
        messages.envelope(v3_message(name, patient=ii("P1"), prior=ii("P2")), f"urn:hl7-org:v3:{name}")
        for name in names
    )


def _feed_v2() -> tuple[bytes, ...]:
    patient = "P1^^^&1.2.3&ISO"
    return (
        *(adt(event, patient).encode() for event in ("A01", "A04", "A08")),
        adt("A40", patient, "P2^^^&1.2.3&ISO").encode(),
    )


def _assertions() -> tuple[bytes, ...]:
    signer = sts.card()[Use.SIGNATURE]
    return (etree.tostring(make_vihf(sts.a_claim(), signer.certificate, signer.key, now=datetime.now(UTC))),)


def _documents() -> tuple[bytes, ...]:
    found = sorted((ROOT / "examples").rglob("*.xml"))
    return tuple(one.read_bytes() for one in found if b"ClinicalDocument" in one.read_bytes()[:2000])


@cache
def _bundles() -> tuple[bytes, ...]:
    """ITI-65 in two levels of metadata, about a patient that is known."""
    bundles = (fhir_bundles.a_provide_bundle("PATIENT", level=level) for level in ("Comprehensive", "Minimal"))
    identifier = {"identifier": {"system": f"urn:oid:{PATIENT.authority}", "value": PATIENT.id}}
    said = ('{"reference": "PATIENT"}', json.dumps(identifier))
    return tuple(_numbered(json.dumps(one).replace(*said), 1000 * n).encode() for n, one in enumerate(bundles))


def _numbered(text: str, first: int) -> str:
    """With identifiers that are the same in every run."""
    found = dict.fromkeys(re.findall(r"urn:uuid:[0-9a-f-]{36}|urn:oid:2\.25\.\d{9,}", text))
    for number, one in enumerate(found, first):
        kept = f"urn:uuid:00000000-0000-4000-8000-{number:012}" if "uuid" in one else f"urn:oid:2.25.{10**9 + number}"
        text = text.replace(one, kept)
    return text


def _records() -> tuple[bytes, ...]:
    bodies = {
        "PRPA_IN201307UV02": (written.record_query(), written.record_query("CNSLT_DATA")),
        "PRPA_IN201305UV02": (written.patient_search(),),
        "PRPA_IN201311UV02": (written.record_request("PRPA_IN201311UV02", "DMP_CREATION"),),
        "PRPA_IN201314UV02": (written.record_request("PRPA_IN201314UV02", "DMP_FERMETURE", closing="oui"),),
    }
    return tuple(messages.envelope(one, f"urn:hl7-org:v3:{name}") for name, found in bodies.items() for one in found)


def _habilitations() -> tuple[bytes, ...]:
    simple = [one for one in record_operations() if one.door == "habilitations"]
    fields = "<action>AJOUT</action><role>PS</role><ins>258063523804186</ins><start>0</start><size>10</size>"
    return tuple(messages.envelope(_element(one.body, fields), one.action) for one in simple)


def _element(body: str, fields: str) -> bytes:
    namespace, name = body[1:].split("}")
    return f'<{name} xmlns="{namespace}">{fields}</{name}>'.encode()


def _subscriptions() -> tuple[bytes, ...]:
    of_patient = (
        f"DocumentReference?patient.identifier=urn:oid:{PATIENT.authority}|{PATIENT.id}&type=http://loinc.org|1"
    )
    return (json.dumps(wanted(TOLD, filters=(of_patient,), end="2027-01-01T00:00:00Z")).encode(),)


def _dsub() -> tuple[bytes, ...]:
    to = (
        b"<a:To xmlns:a='http://www.w3.org/2005/08/addressing'>http://127.0.0.1/xds/subscriptions?subscription=x</a:To>"
    )
    asked = subscribe_body(TOLD, slots=PATIENT_SLOT, end="P1D").encode()
    ended = messages.envelope(f'<w:Unsubscribe xmlns:w="{WSNT}"/>'.encode(), UNSUBSCRIBE)
    return messages.envelope(asked, SUBSCRIBE), ended.replace(b"</e:Header>", to + b"</e:Header>")


def _batches() -> tuple[bytes, ...]:
    patch = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W10="}
    entries = [
        {"request": {"method": "GET", "url": f"DocumentReference?{SEARCH}"}},
        {"request": {"method": "GET", "url": "Binary/1a2b3c"}},
        {"request": {"method": "PATCH", "url": "DocumentReference?identifier=urn:oid:1.2.3"}, "resource": patch},
    ]
    return (json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode(),)


def _form(doors: Doors, octets: bytes) -> Answer:
    kind = "application/x-www-form-urlencoded"
    return doors.fhir("POST", "/fhir/DocumentReference/_search", octets, content_type=kind)


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """A door, and the sound messages that are broken for it."""

    seeds: Callable[[], Sequence[bytes]]
    send: Callable[[Doors, bytes], Answer]


_MTOM_TYPE = messages.multipart_type()
DOORS = {
    "registry": Fuzzed(seeds=_questions, send=lambda doors, octets: doors.simple("/xds/registry", octets)),
    "repository": Fuzzed(seeds=_retrievals, send=lambda doors, octets: doors.simple("/xds/repository", octets)),
    "patients": Fuzzed(seeds=_feed_v3, send=lambda doors, octets: doors.simple("/xds/patients", octets)),
    "records": Fuzzed(seeds=_records, send=lambda doors, octets: doors.simple("/xds/patients", octets)),
    "habilitations": Fuzzed(
        seeds=_habilitations, send=lambda doors, octets: doors.simple("/xds/habilitations", octets)
    ),
    "MTOM": Fuzzed(seeds=_mtom, send=lambda doors, octets: doors.post("/xds/repository", octets, _MTOM_TYPE)),
    "recipient": Fuzzed(seeds=_mtom, send=lambda doors, octets: doors.post("/xds/recipient", octets, _MTOM_TYPE)),
    "content type": Fuzzed(
        seeds=lambda: (_MTOM_TYPE.encode(), messages.simple_type(messages.QUERY_ACTION).encode()),
        send=lambda doors, octets: doors.post("/xds/repository", _mtom()[0], octets.decode("latin-1")),
    ),
    "FHIR search": Fuzzed(
        seeds=lambda: (SEARCH.encode(),),
        send=lambda doors, octets: doors.fhir("GET", "/fhir/DocumentReference", query=octets.decode("latin-1")),
    ),
    "FHIR form": Fuzzed(seeds=lambda: (SEARCH.encode(),), send=_form),
    "FHIR resource": Fuzzed(
        seeds=_bundles,
        send=lambda doors, octets: doors.fhir("POST", "/fhir", octets),
    ),
    "FHIR batch": Fuzzed(seeds=_batches, send=lambda doors, octets: doors.fhir("POST", "/fhir", octets)),
    "FHIR subscription": Fuzzed(
        seeds=_subscriptions, send=lambda doors, octets: doors.fhir("POST", "/fhir/Subscription", octets)
    ),
    "DSUB": Fuzzed(seeds=_dsub, send=lambda doors, octets: doors.simple("/xds/subscriptions", octets)),
    "FHIR patient": Fuzzed(
        seeds=lambda: (
            b'{"resourceType":"Patient","identifier":[{"system":"urn:oid:1.2.3","value":"1"}],"active":true}',
        ),
        send=lambda doors, octets: doors.patient("POST", "/fhir/Patient", octets),
    ),
    "FHIR path": Fuzzed(
        seeds=lambda: (b"/fhir/Binary/1a2b3c", b"/fhir/DocumentReference/1a2b3c", b"/fhir/metadata"),
        send=lambda doors, octets: doors.fhir("GET", "/fhir/" + octets.decode("latin-1").removeprefix("/fhir/")),
    ),
    "FHIR token": Fuzzed(seeds=_assertions, send=Doors.token),
    "assertion": Fuzzed(seeds=_assertions, send=Doors.assertion),
    "MLLP": Fuzzed(seeds=_feed_v2, send=Doors.message),
    "CDA check": Fuzzed(seeds=_documents, send=Doors.check),
}


def chosen_seed() -> int:
    return int(os.environ.get("CARNET_FUZZ_SEED", SEED))


def play(target: Target, door: str, count: int) -> None:
    fuzzed, seed = DOORS[door], chosen_seed()
    seeds = fuzzed.seeds()
    print(f"{door}: seed {seed}, {count} messages of {len(seeds)} sound ones")
    for number, octets in enumerate(mutants(seeds, count, seed=seed)):
        what = f"{door}: seed {seed}, message {number}"
        with target.stopwatch.timing(what):
            try:
                fuzzed.send(target.doors, octets)
            except Exception as problem:
                raise AssertionError(f"{what}: {octets[:2000]!r}") from problem


@pytest.mark.parametrize("door", DOORS)
def test_2000_broken_messages_get_answers_of_the_closed_list(target: Target, door: str) -> None:
    play(target, door, COUNT)


@pytest.mark.long
@pytest.mark.parametrize("door", DOORS)
def test_100000_broken_messages_get_answers_of_the_closed_list(target: Target, door: str) -> None:
    play(target, door, LONG)


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sound medium with one document."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with holding(folder / "from") as source:
        entry = an_entry(entry_uuid=new_uuid_urn(), content=b"<ClinicalDocument/>")
        submit(source, a_submission(entry), {entry.entry_uuid: b"<ClinicalDocument/>"})
        export(source, folder / "medium.zip")
    return (folder / "medium.zip").read_bytes()


def play_media(target: Target, medium: bytes, count: int) -> None:
    """Refused with a sentence, or imported; never anything else."""
    path, receiver = target.folder / "broken.zip", LocalReceiver(target.doors.actors)
    print(f"XDM: seed {chosen_seed()}, {count} media")
    for number, octets in enumerate(mutants((medium,), count, seed=chosen_seed())):
        path.write_bytes(octets)
        with target.stopwatch.timing(f"medium {number}"):
            try:
                opened = ZipMedium(path)
            except MediumRefused:
                continue
            try:
                import_subsets(opened, steps(subsets(opened), read_history(opened)), receiver, now=true_time)
            except MediumRefused:
                continue
            finally:
                opened.close()


def test_2000_broken_media_are_refused_or_imported(target: Target, medium: bytes) -> None:
    play_media(target, medium, COUNT)


@pytest.mark.long
def test_100000_broken_media_are_refused_or_imported(target: Target, medium: bytes) -> None:
    play_media(target, medium, LONG)
