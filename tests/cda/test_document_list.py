"""The list of documents as CDA: valid, complete, and text only."""

from pathlib import Path

import pytest
from lxml import etree

from cda.document_list import DocumentList, write_document_list
from tests.builders import PATIENT, an_entry
from xds.datatypes import DTM
from xds.metadata import DocumentEntry
from xds.vocabulary import AvailabilityStatus

CDA = {"h": "urn:hl7-org:v3"}


def a_list(*entries: DocumentEntry) -> etree._Element:
    return etree.fromstring(
        write_document_list(
            DocumentList(
                unique_id="2.25.17",
                custodian="1.2.250.1.213.4.1.1.1.2",
                custodian_name="Carnet <essai>",
                patient_id=PATIENT,
                made=DTM("20260310101500"),
                entries=entries,
            )
        )
    )


def texts(document: etree._Element, path: str) -> list[str]:
    return [str(one) for one in document.xpath(path, namespaces=CDA)]


def test_every_document_is_a_row() -> None:
    replaced = an_entry(title="Ancien", availability_status=AvailabilityStatus.DEPRECATED)
    document = a_list(an_entry(), replaced)
    rows = [texts(row, "h:td/text()") for row in document.xpath("//h:tbody/h:tr", namespaces=CDA)]
    assert rows == [
        ["10/03/2026", "CR de consultation", "Compte rendu de consultation", "ELISE VILLARD", "text/xml", "En vigueur"],
        ["10/03/2026", "CR de consultation", "Ancien", "ELISE VILLARD", "text/xml", "Remplacé"],
    ]


def test_an_empty_record_says_so() -> None:
    assert texts(a_list(), "//h:paragraph/text()") == ["Aucun document."]


def test_the_patient_is_the_one_of_the_domain() -> None:
    document = a_list(an_entry())
    assert texts(document, "//h:patientRole/h:id/@extension") == [PATIENT.id]
    assert texts(document, "//h:patient/h:name/*/text()") == ["MARCHAL", "LISE"]
    assert texts(document, "//h:birthTime/@value") == ["19790317"]


def test_metadata_stay_text() -> None:
    hostile = an_entry(title='<script>alert("1")</script>&', source_patient_info=('PID-5|<a href="x">^B', "PID-7|x"))
    document = a_list(hostile)
    assert document.xpath("//h:script | //h:a", namespaces=CDA) == []
    assert '<script>alert("1")</script>&' in texts(document, "//h:td/text()")


@pytest.mark.corpus
@pytest.mark.parametrize(
    "entries", [(), (an_entry(),), (an_entry(author=(), source_patient_info=(), creation_time=None, title=None),)]
)
def test_the_list_is_a_valid_document(corpus: Path, entries: tuple[DocumentEntry, ...]) -> None:
    schema = etree.XMLSchema(etree.parse(corpus / "cda/official/infrastructure/cda/CDA_extended.xsd"))
    schema.assertValid(a_list(*entries))
