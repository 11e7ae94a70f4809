"""Faults of what is fed, found and changed, and of the order of messages."""

import time
from collections.abc import Callable
from dataclasses import replace
from threading import Thread
from typing import Any

from access_policy.caller import PurposeOfUse
from carnet.exchange import ClientError
from carnet.proof import Proof
from carnet.reports import read_report, submission_of, with_new_identity
from carnet.signing import signed_submission
from carnet.xds_client import XdsClient
from soap.mtom import MtomPart
from tests.conformance.faulty_clients import (
    ARCHIVE,
    CLOSE,
    CREATE,
    EXIST,
    FEED,
    MASK,
    READ,
    REPLACE,
    SEARCH,
    Bench,
    Fault,
    changed,
    fault,
    sub,
)
from tests.conformance.vendor_software import REPORTS, a_report, next_version
from xds.datatypes import CX, XCN, Code

FEEDING, QUERY, READING, UPDATE = "ITI-41", "ITI-18", "ITI-43", "ITI-57"
RESTRICTIONS = "1.2.250.1.213.1.1.4.13"
Act = Callable[[Bench], Any]


def entry(**changes: Any) -> Act:
    return lambda bench: bench.push(entry=changes)


def feeding(pattern: str, new: str = "", count: int = 1) -> Act:
    return lambda bench: bench.send(FEEDING, sub(pattern, new, count=count))


def sending(transaction: str, pattern: str, new: str = "", count: int = 1) -> Act:
    return lambda bench: bench.send(transaction, sub(pattern, new, count=count))


def document(pattern: str, new: str = "") -> Act:
    """The octets of the document changed before it is signed and fed; the entry stays."""

    return lambda bench: bench.push(content=sub(pattern, new))


def _other_institution(bench: Bench) -> None:
    [author] = bench.software.fed[0].entry.author[:1]
    named = replace(
        author,
        author_institution=(
            type(author.author_institution[0])("Clinique^^^^^&1.2.250.1.71.4.2.2&ISO^IDNST^^^1690000014"),
        ),
    )
    bench.push(entry={"author": (named,)})


def _nameless_author(bench: Bench) -> None:
    [author] = bench.software.fed[0].entry.author[:1]
    named = replace(author, author_person=XCN("899900010036^^^^^^^^&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"))
    bench.push(entry={"author": (named,)})


def _wrong_hash(bench: Bench) -> None:
    bench.push(entry={"hash": "0" * 40})


def _replaces_by_unique_id(bench: Bench) -> None:
    bench.send(FEEDING, sub('(AssociationType:RPLC"[^>]*targetObject=")[^"]*', r"\g<1>2.25.1"))


def _keeps_the_version_number(bench: Bench) -> None:
    new = next_version(bench.software.fed[0])
    content = new.content.replace(b'<versionNumber value="2"/>', b'<versionNumber value="1"/>')
    bench.push(read_report(content, entry_uuid="Document01"))


def _section_without_title(bench: Bench) -> None:
    octets = (REPORTS / "lettre-liaison-sortie.xml").read_bytes()
    report = with_new_identity(read_report(octets, entry_uuid="Document01"))
    content = changed(report.content, sub("(<section[ >].*?)<title>[^<]*</title>", r"\1"))
    bench.push(replace(report, content=content), claim={"structure": "1350999017"})


def _unsigned(bench: Bench) -> None:
    proof = Proof(context=bench.context(), assertion=bench.assertion("followed", claim={}))
    XdsClient(bench.url, proof=proof).push([bench.software.fed[0]])


def _signed_to_authenticate(bench: Bench) -> None:
    bench.push(signer=bench.signer("authentication"))


def _about_another_patient(bench: Bench) -> None:
    patient = CX.of(id="291031305507707", authority="1.2.250.1.213.1.4.10", type_code="NH")
    bench.software.xds("followed").find_documents(patient)


def _wherever(bench: Bench) -> None:
    bench.send(READING, sub("(RepositoryUniqueId>)[^<]*", r"\g<1>1.2.250.1.1"))


def _unseen(bench: Bench) -> None:
    bench.send(READING, sub("(DocumentUniqueId>)[^<]*", r"\g<1>2.25.77"))


def _changes_the_title(bench: Bench) -> None:
    _before_update(bench)
    bench.send(UPDATE, sub('(<rim:Name>.{0,80}?value=")Compte rendu pr', r"\g<1>Compte-rendu pr"))


def _before_update(bench: Bench) -> None:
    bench.send("TD0.2")
    bench.send(QUERY)


def _without_lid(bench: Bench) -> None:
    _before_update(bench)
    bench.send(UPDATE, sub(' lid="[^"]*"'))


def _masks_from_the_patient(bench: Bench) -> None:
    _before_update(bench)
    bench.send(UPDATE, sub("MASQUE_PS", "INVISIBLE_PATIENT"))


def _without_status(bench: Bench) -> None:
    bench.send(QUERY)
    bench.send(UPDATE, sub('name="OriginalStatus"', 'name="FormerStatus"'))


def _reads_unauthorised(bench: Bench) -> None:
    patient = bench.patient("emergency")
    bench.software.existence("emergency")
    bench.software.xds("emergency").find_documents(bench.software.cx(patient))


def _authorises_itself_always(bench: Bench) -> None:
    bench.send("TD0.2")
    bench.software.dmp("followed").authorise()


def _searches_by_itself(bench: Bench) -> None:
    bench.push(a_report())
    bench.software.xds("followed").find_documents(bench.software.cx(bench.patient("followed")))


def _breaks_the_glass(bench: Bench) -> None:
    bench.send("TD0.2", claim={"purpose": PurposeOfUse.BREAK_GLASS})


def _sends_again_and_again(bench: Bench) -> None:
    for _ in range(2):
        bench.send(FEEDING)


def _sends_it_as_another(bench: Bench) -> None:
    """After the answer was lost, under a new uniqueId of the submission."""
    report = a_report()
    for _ in range(2):
        try:
            _once(bench, report)
        except ClientError:
            continue


def _once(bench: Bench, report: Any) -> None:
    """One attempt, no repetition."""
    submission, signature = signed_submission(
        submission_of([report]), {report.entry.entry_uuid: report.content}, bench.signer()
    )
    contents = {report.entry.entry_uuid: report.content, "Signature01": signature}
    parts = {
        name: MtomPart(content_id=f"{name}@test", content_type="text/xml", chunks=(octets,), length=len(octets))
        for name, octets in contents.items()
    }
    proof = Proof(context=bench.context(), assertion=bench.assertion("followed", claim={}))
    XdsClient(bench.url, proof=proof).provide(submission, parts)


def _feeds_it_as_another(bench: Bench) -> None:
    """Told that it is there, it takes another uniqueId of the submission."""
    for _ in range(2):
        bench.push()


def _floods(bench: Bench) -> None:
    threads = [Thread(target=bench.send, args=(FEEDING,)) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def _goes_on(bench: Bench) -> None:
    """As if the answer had been good."""
    bench.send("TD0.2")
    time.sleep(0.01)
    bench.send(QUERY, step=SEARCH)


def _asks_for_no_reason(bench: Bench) -> None:
    """Which the step does not take for what it waits for."""
    bench.send("TD1.3a", sub("CNSLT_DATA", "CNSLT"))
    bench.send("TD1.3a")


def _waits(bench: Bench) -> None:
    assert bench.push(a_report()).is_success


def _same_assertion_again(bench: Bench) -> None:
    made = bench.assertion("followed", claim={})
    for _ in range(2):
        bench.send("TD0.2", assertion=made)


METADATA_FAULTS: tuple[Fault, ...] = (
    fault(
        "META-01",
        FEED,
        "links the document to the submission by no HasMember",
        feeding('(id="Member01"[^>]*targetObject=")Document01', r"\g<1>Document77"),
    ),
    fault("META-02", FEED, "leaves practiceSettingCode out", entry(practice_setting_code=None)),
    fault(
        "META-03",
        FEED,
        "sends no sourceId",
        feeding("<rim:ExternalIdentifier[^>]*554ac39e.*?</rim:ExternalIdentifier>"),
    ),
    fault(
        "META-04",
        FEED,
        "names the patient without the type NH",
        feeding(r'(58a6f841[^>]*value="[^"]*&amp;ISO)\^NH"', r'\1"'),
    ),
    fault(
        "META-05",
        FEED,
        "sends an INS with a wrong key",
        feeding('(58a6f841[^>]*value=")258063523804186', r"\g<1>258063523804187"),
    ),
    fault(
        "META-06",
        FEED,
        "sends a formatCode of its own",
        entry(format_code=Code(code="urn:own:2026", coding_scheme="1.2.3", display_name="Format")),
    ),
    fault(
        "META-07",
        FEED,
        "classes a report as a synthesis",
        entry(class_code=Code(code="11", coding_scheme="1.2.250.1.213.1.1.4.1", display_name="Synthèse")),
    ),
    fault(
        "META-08",
        FEED,
        "masks and hides a document at once",
        entry(
            confidentiality_code=tuple(
                Code(code=one, coding_scheme=system, display_name=one)
                for one, system in (
                    ("N", "2.16.840.1.113883.5.25"),
                    ("MASQUE_PS", RESTRICTIONS),
                    ("INVISIBLE_PATIENT", RESTRICTIONS),
                )
            )
        ),
    ),
    fault(
        "META-09",
        FEED,
        "gives the submission a uniqueId that is no OID",
        lambda b: b.push(submission_unique_id="lot-1"),
    ),
    fault(
        "META-10",
        FEED,
        "sends creationTime with an offset",
        feeding('(name="creationTime">.*?<rim:Value>[0-9]*)', r"\1+0200"),
    ),
    fault("META-11", FEED, "sends the language as fr", feeding('(name="languageCode">.*?<rim:Value>)fr-FR', r"\1fr")),
    fault("META-12", FEED, "sends a hash of something else", _wrong_hash),
    fault("META-13", FEED, "names an author without family name", _nameless_author),
    fault("META-14", FEED, "names another institution than its VIHF", _other_institution),
    fault("META-15", FEED, "sends no sex of the patient", feeding(r"<rim:Value>PID-8\|F</rim:Value>", "", 0)),
    fault("META-16", REPLACE, "replaces by the uniqueId", _replaces_by_unique_id),
    fault(
        "META-17",
        FEED,
        "sets availabilityStatus",
        feeding(
            "<rim:ExtrinsicObject ",
            '<rim:ExtrinsicObject status="urn:oasis:names:tc:ebxml-regrep:StatusType:Approved" ',
        ),
    ),
    fault(
        "META-18",
        FEED,
        "declares the format of plain text",
        entry(
            format_code=Code(
                code="urn:ihe:iti:xds-sd:text:2008", coding_scheme="1.3.6.1.4.1.19376.1.2.3", display_name="Texte"
            )
        ),
    ),
    fault(
        "CDA-01", FEED, "feeds a document that the schema refuses", document("<languageCode", "<strange/><languageCode")
    ),
    fault("CDA-02", FEED, "feeds a document without realmCode", document('<realmCode code="FR"/>')),
    fault("CDA-03", FEED, "feeds a document without the place of birth", document("<birthplace>.*?</birthplace>")),
    fault("CDA-04", FEED, "titles the entry otherwise than the document", entry(title="Autre titre")),
    fault("CDA-05", REPLACE, "keeps versionNumber in a new version", _keeps_the_version_number),
    fault(
        "CDA-06",
        FEED,
        "puts a link with javascript into the document",
        document("<title>", "<!-- javascript:alert() --><title>"),
    ),
    fault(
        "CDA-07",
        FEED,
        "feeds a discharge letter with a section that has no title",
        _section_without_title,
    ),
    fault(
        "CDA-08",
        FEED,
        "sends a body as a Word document",
        document('mediaType="application/pdf"', 'mediaType="application/msword"'),
    ),
    fault("SIGN-01", FEED, "feeds without a signature", _unsigned),
    fault(
        "SIGN-02",
        FEED,
        "masks the signature entry to nobody",
        feeding('(<rim:ExtrinsicObject id="Signature01".*?nodeRepresentation=")MASQUE_PS"', r'\1R"'),
    ),
    fault(
        "SIGN-03",
        FEED,
        "signs another document than it sends",
        feeding("<streetName>Rue", "<streetName>Rua"),
    ),
    fault(
        "SIGN-04", FEED, "changes the manifest's signature", feeding('( Id="S0".*?<ds:SignatureValue>)....', r"\1AAAA")
    ),
    fault("SIGN-05", FEED, "signs with the certificate for connections", _signed_to_authenticate),
    fault("QRY-01", SEARCH, "asks for a query that nobody knows", sending(QUERY, "14d4debf", "14d4dead")),
    fault(
        "QRY-02",
        SEARCH,
        "writes a parameter without quotes",
        sending(QUERY, r"\('(urn:oasis:names:tc:ebxml-regrep:StatusType:Approved)'\)", r"\1"),
    ),
    fault(
        "QRY-03",
        SEARCH,
        "searches another patient than its VIHF names",
        sending(QUERY, "(<rim:Value>')258063523804186", r"\g<1>291031305507707"),
    ),
    fault(
        "QRY-04",
        SEARCH,
        "searches replaced documents too",
        sending(QUERY, r"(StatusType:Approved')\)", r"\1,'urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated')"),
    ),
    fault("RET-01", READ, "names another repository than the search", _wherever),
    fault("UPD-01", MASK, "leaves the lid out", _without_lid),
    fault("UPD-02", MASK, "changes the title when it masks", _changes_the_title),
    fault("UPD-03", ARCHIVE, "leaves OriginalStatus out", _without_status),
    fault("UPD-04", MASK, "masks from the patient where it should from professionals", _masks_from_the_patient),
    fault("ADM-01", EXIST, "names another reason", sending("TD0.2", "TEST_EXST", "EXISTENCE")),
    fault("ADM-02", "administration/authorisation", "asks for another action", sending("TD0.3", ">AJOUT<", ">OUI<")),
    fault(
        "ADM-03",
        "administration/records",
        "sends a date without its type",
        sending("TD0.4", "<dateType>.*?</dateType>"),
    ),
    fault("ADM-04", "administration/data", "asks without the reason CNSLT_DATA, then with it", _asks_for_no_reason),
    fault("ADM-05", "administration/professionals", "asks for an unknown mode", sending("TD1.6", ">ACTIVE<", ">TOUS<")),
    fault("ADM-06", CLOSE, "names who acts without a family name", sending("TD1.4", "<family>EXEMPLE-CARIOU</family>")),
    fault("ADM-07", CLOSE, "closes without a reason", sending("TD1.4", "<text>demande du patient</text>", "<text/>")),
    fault(
        "ADM-08",
        CREATE,
        "creates without stating the oppositions",
        sending("TD1.1", "OPPOSITION_BRIS_DE_GLACE", "OPPOSITION"),
    ),
    fault(
        "ADM-09",
        "administration/without-ins",
        "looks for everybody of a name",
        lambda bench: bench.send(
            "TD0.5",
            sub("<livingSubjectBirthTime>.*</livingSubjectBirthTime>"),
            claim={"purpose": PurposeOfUse.REGULATION, "patient_id": None},
        ),
    ),
    fault(
        "ADM-10",
        "administration/reactivation",
        "reactivates without consent",
        sending("TD1.2", 'value value="true"', 'value value="false"'),
    ),
    fault(
        "ADM-11",
        "administration/change",
        "changes data and leaves an opposition out",
        sending("TD1.3b", "OPPOSITION_ACCES_URGENCE", "OPPOSITION"),
    ),
    fault(
        "ADM-12",
        "administration/account",
        "gives a telephone number for an address",
        sending("TD1.5a", "anatole@example.org", "0639981234"),
    ),
    fault(
        "ADM-13",
        "administration/channel",
        "asks for an action of its own on a channel",
        sending("TD1.5b", ">AJOUT<", ">CREATION<"),
    ),
)
ORDER_FAULTS: tuple[Fault, ...] = (
    fault("ORDER-01", FEED, "feeds before it tests existence", Bench.push, has_history=False),
    fault("ORDER-02", SEARCH, "reads a record that has not authorised it", _reads_unauthorised),
    fault("ORDER-03", "consultation/existence", "adds itself where it is authorised", _authorises_itself_always),
    fault("ORDER-04", READ, "asks for a document that no search gave", _unseen),
    fault("ORDER-05", FEED, "searches by itself after it fed", _searches_by_itself),
    fault("ORDER-06", EXIST, "breaks the glass unasked", _breaks_the_glass),
    fault("ERR-01", "alimentation/refusal", "sends again what was refused", _sends_again_and_again),
    fault("ERR-02", "alimentation/lost-answer", "sends a lost submission again as another", _sends_it_as_another),
    fault("ERR-03", "alimentation/already-there", "feeds again what is there already", _feeds_it_as_another),
    fault("ERR-04", "alimentation/busy", "floods a busy server", _floods),
    fault("ERR-05", "consultation/noise", "goes on after an unreadable answer", _goes_on),
    fault(
        "ERR-06", "alimentation/refused-assertion", "sends the assertion that was refused again", _same_assertion_again
    ),
    fault("ERR-07", "consultation/another-answer", "goes on after the answer to another request", _goes_on),
    fault("ERR-09", "alimentation/late-answer", "waits as long as the server likes", _waits),
)
