"""Record queries, requests and patient search: read from what software sends, written as software reads it. DMP 3."""

import pytest
from lxml import etree

from hl7v3.patient_search import Candidate, read_patient_search, write_candidates
from hl7v3.person import Address, Person, read_person, write_person
from hl7v3.record_query import (
    Attention,
    Observation,
    RecordFound,
    read_record_query,
    write_record_answer,
)
from hl7v3.record_request import Act, read_record_request, write_request_answer
from hl7v3.transmission import Detail, DetailCode, InstanceIdentifier, read_transmission
from tests.hl7v3 import record_messages as written

NS = {"v3": written.V3, "gdp": "asip:ci-sis:gdp:2010"}
ANNE = Person(
    birth_family="DURAND",
    usual_family="EXEMPLE",
    given=("Anne", "Lise"),
    prefix="MME",
    gender="F",
    birth_time="19580617",
    birth_place="63113",
    telecoms=("tel:0102030405", "mailto:anne@example.org"),
    address=Address(lines=("1 rue de l'Essai",), postal_code="75005", city="Paris", country="France"),
)
PATIENT = InstanceIdentifier(written.TEST_NIR, written.INS)


def texts(answer: etree._Element, path: str) -> list[str]:
    return [str(one) for one in answer.xpath(path, namespaces=NS)]


def test_a_person_is_read_whatever_the_order_of_its_parts_and_written_so_that_it_is_read_again() -> None:
    assert read_person(etree.fromstring(f'<x xmlns="{written.V3}">{written.PERSON}</x>')[0]) == ANNE
    again = etree.fromstring(f'<x xmlns="{written.V3}">{write_person(ANNE)}</x>')[0]
    assert read_person(again) == ANNE


@pytest.mark.parametrize("text", ["<&>'\"", "Éloïse", "  deux   mots "])
def test_what_a_person_is_called_never_breaks_the_message(text: str) -> None:
    person = Person(birth_family=text, given=(text,), telecoms=(text,), address=Address(lines=(text,), city=text))
    again = read_person(etree.fromstring(f'<x xmlns="{written.V3}">{write_person(person)}</x>')[0])
    assert again.birth_family == " ".join(text.split())


@pytest.mark.parametrize("reason", ["TEST_EXST", "CNSLT_DATA"])
def test_a_record_query_names_its_reason_and_its_patient(reason: str) -> None:
    query = read_record_query(etree.fromstring(written.record_query(reason)))
    assert (query.reason, query.patient, query.details) == (reason, (PATIENT,), ())


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("TEST_EXST", "TEST", "'TEST'"),
        (written.reason_code("TEST_EXST"), "", "none"),
        (f'<value root="{written.TEST_NIR}" extension="{written.INS}"/>', "", "found 0"),
        ("<patientIdentifier>", '<patientIdentifier><value root="1.2.3" extension="9"/>', "found 2"),
    ],
)
def test_a_record_query_that_is_wrong_says_what_was_found(before: str, after: str, found: str) -> None:
    message = written.record_query().decode().replace(before, after, 1)
    [detail] = read_record_query(etree.fromstring(message)).details
    assert found in detail.text
    assert "expected" in detail.text


def test_the_answer_to_a_query_says_what_software_looks_for() -> None:
    message = etree.fromstring(written.record_query())
    record = RecordFound(
        ids=(PATIENT,),
        is_active=True,
        person=ANNE,
        observations=(Observation(code="RATTACHEMENT_ENS", code_system="1.2.250.1.213.4.1.2.3", value=True),),
        representatives=(Person(usual_family="PARENT"),),
    )
    attention = (
        Attention(keyword="AUTORISATION", code="VALIDE", code_system="1.2.250.1.213.4.1.2.6.2"),
        Attention(keyword="STATUT_MT", boolean=False),
    )
    answer = etree.fromstring(
        write_record_answer(
            read_transmission(message), read_record_query(message), record, attention=attention, now="20260310090001"
        )
    )
    assert answer.tag == f"{{{written.V3}}}PRPA_IN201308UV02"
    for path, expected in {
        "v3:acknowledgement/@typeCode": ["AA"],
        "v3:acknowledgement/v3:targetMessage/v3:id/@extension": ["m-1"],
        "v3:controlActProcess/v3:queryAck/v3:queryResponseCode/@code": ["OK"],
        "v3:controlActProcess/v3:queryAck/v3:queryId/@extension": ["q-1"],
        "v3:attentionLine[v3:keyWordText/@code='AUTORISATION']/v3:value/@code": ["VALIDE"],
        "v3:attentionLine[v3:keyWordText/@code='STATUT_MT']/v3:value/@value": ["false"],
        "//v3:subject1/v3:patient/v3:id/@extension": [written.INS],
        "//v3:subject1/v3:patient/v3:statusCode/@code": ["active"],
        "//v3:administrativeObservation[v3:code/@code='RATTACHEMENT_ENS']/v3:value/@value": ["true"],
        "//v3:guardian//v3:family/text()": ["PARENT"],
    }.items():
        assert texts(answer, path) == expected, path


@pytest.mark.parametrize(("details", "outcome"), [((), "NF"), ((Detail(code=DetailCode.SYNTAX, text="no"),), "AE")])
def test_an_answer_without_a_record_says_so(details: tuple[Detail, ...], outcome: str) -> None:
    message = etree.fromstring(written.record_query())
    sent = read_transmission(message), read_record_query(message), None
    answer = etree.fromstring(write_record_answer(*sent, details=details, now="20260310090001"))
    assert texts(answer, "//v3:queryResponseCode/@code") == [outcome]
    assert texts(answer, "//v3:subject1") == []
    assert texts(answer, "//v3:acknowledgementDetail/v3:text/text()") == [one.text for one in details]


def test_a_request_to_create_a_record_is_read_whole() -> None:
    observations = written.observation("CONSENTEMENT_OUVERTURE_DMP", "true") + written.observation(
        "OPPOSITION_BRIS_DE_GLACE", "false"
    )
    request = read_record_request(
        etree.fromstring(written.record_request("PRPA_IN201311UV02", "CREA_RD", observations=observations))
    )
    assert (request.act, request.patient, request.person, request.details) == (Act.CREATE, (PATIENT,), ANNE, ())
    assert request.observations == {"CONSENTEMENT_OUVERTURE_DMP": True, "OPPOSITION_BRIS_DE_GLACE": False}
    assert request.contacts["CARTE_SESAM_VITALE"].given == ("ANNE",)
    assert (request.requester.identifier, request.requester.structure) == ("899700000123", "1750000001")
    assert request.requester.person.birth_family == "SOIGNANT"


def test_a_request_to_close_a_record_says_why() -> None:
    message = written.record_request("PRPA_IN201314UV02", "FERM", status="terminated", closing="demande du patient")
    request = read_record_request(etree.fromstring(message))
    assert (request.act, request.reason, request.text) == (
        Act.CLOSE,
        "FERMETURE_DEMANDE_PATIENT",
        "demande du patient",
    )


@pytest.mark.parametrize(
    ("name", "reason", "before", "after", "found"),
    [
        ("PRPA_IN201311UV02", "FERM", "", "", "'FERM'"),
        ("PRPA_IN201314UV02", "CREA_RD", "", "", "'CREA_RD'"),
        ("PRPA_IN201314UV02", "REAC", '<patient classCode="PAT">', "<other>", "found 0"),
        ("PRPA_IN201314UV02", "REAC", 'value value="true"', 'value value="oui"', "'oui'"),
    ],
)
def test_a_request_that_is_wrong_says_what_was_found(
    name: str, reason: str, before: str, after: str, found: str
) -> None:
    message = written.record_request(
        name, reason, observations=written.observation("CONSENTEMENT_REACTIVATION_DMP", "true")
    ).decode()
    if after == "<other>":
        message = message.replace("</patient>", "</other>")
    request = read_record_request(etree.fromstring(message.replace(before, after, 1) if before else message))
    assert request.act is None
    assert any(found in one.text and "expected" in one.text for one in request.details)


@pytest.mark.parametrize(
    ("name", "reason", "done", "refused"),
    [
        ("PRPA_IN201311UV02", "CREA_RD", "PRPA_IN201312UV02", "PRPA_IN201313UV02"),
        ("PRPA_IN201314UV02", "FERM", "PRPA_IN201315UV02", "PRPA_IN201316UV02"),
    ],
)
def test_the_answer_to_a_request_is_wrapped(name: str, reason: str, done: str, refused: str) -> None:
    message = etree.fromstring(written.record_request(name, reason))
    sent = read_transmission(message), read_record_request(message)
    answer = etree.fromstring(write_request_answer(*sent, now="20260310090001"))
    assert answer.tag == f"{{asip:ci-sis:gdp:2010}}{name}_Response"
    assert texts(answer, f"v3:{done}/v3:acknowledgement/@typeCode") == ["AA"]
    details = (Detail(code=DetailCode.SYNTAX, text="<exists>"),)
    answer = etree.fromstring(write_request_answer(*sent, details, now="20260310090001"))
    assert texts(answer, f"v3:{refused}/v3:acknowledgement/@typeCode") == ["AE"]
    assert texts(answer, "//v3:acknowledgementDetail/v3:text/text()") == ["<exists>"]


def test_a_patient_search_gives_traits_and_its_answer_repeats_the_question() -> None:
    message = etree.fromstring(written.patient_search())
    search = read_patient_search(message)
    assert search.details == ()
    assert search.traits == Person(birth_family="EXEMPLE", given=("Anne",), gender="F", birth_time="19580617")
    candidate = Candidate(ids=(PATIENT,), person=ANNE, match=90, opposes_regulation=True)
    answer = etree.fromstring(write_candidates(read_transmission(message), search, (candidate,), now="20260310090001"))
    assert texts(answer, "//v3:queryResponseCode/@code") == ["OK"]
    assert texts(answer, "//v3:queryMatchObservation/v3:value/@value") == ["90"]
    assert texts(answer, "//v3:subjectOf2//v3:value/@value") == ["true"]
    assert texts(answer, "//v3:parameterList/v3:livingSubjectName//v3:family/text()") == ["EXEMPLE"]


def test_a_patient_search_needs_a_family_name() -> None:
    search = read_patient_search(etree.fromstring(written.patient_search(family="", given="")))
    [detail] = search.details
    assert "family name" in detail.text


@pytest.mark.parametrize("name", ["valeur_née", "va\U0001f4a9lue"])
def test_the_question_is_repeated_whatever_letters_its_names_have(name: str) -> None:
    """A letter of a name cannot be written as a reference to its number, as one of a text can."""
    asked = written.patient_search().replace(b'<value value="', f'<value {name}="1" value="'.encode())
    message = etree.fromstring(asked)
    octets = write_candidates(read_transmission(message), read_patient_search(message), (), now="20260310090001")
    assert [value for one in etree.fromstring(octets).iter() if (value := one.get(name))] == ["1"]
