from pathlib import Path

import pytest
from lxml import etree

from cda.clinical_content import ClinicalContent, Quantity, content_rows, read_clinical_content
from cda.document import Document, read_document
from tests.cda.mutations import EXAMPLES

PCC = "1.3.6.1.4.1.19376.1.5.3.1.4"


def content(entries: str) -> ClinicalContent:
    text = (
        '<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><component>'
        f'<structuredBody><component><section><text><content ID="t1">Asthme &#x2014; sévère</content></text>{entries}'
        "</section></component></structuredBody></component></ClinicalDocument>"
    )
    return read_clinical_content(Document(clinical_document=etree.fromstring(text), mime_type="text/xml"))


def test_a_problem_has_its_code_its_text_from_the_narrative_and_its_time() -> None:
    found = content(
        f'<entry><observation negationInd="true"><templateId root="{PCC}.5"/><text><reference value="#t1"/></text>'
        '<effectiveTime><low value="2020"/></effectiveTime>'
        '<value xsi:type="CD" code="J45" displayName="Asthme" codeSystem="2.16.840.1.113883.6.3"/></observation></entry>'
    )
    (problem,) = found.problems
    assert problem.code is not None
    assert problem.code.code == "J45"
    assert problem.text == "Asthme — sévère"
    assert problem.period.low == "2020"
    assert problem.is_absent


def test_an_allergy_is_not_a_problem_and_names_its_agent() -> None:
    found = content(
        f'<entry><observation><templateId root="{PCC}.5"/><templateId root="{PCC}.6"/><participant><participantRole>'
        '<playingEntity><code code="372687004" displayName="Amoxicilline" codeSystem="2.16.840.1.113883.6.96"/>'
        "</playingEntity></participantRole></participant></observation></entry>"
    )
    assert found.problems == ()
    agent = found.allergies[0].agent
    assert agent is not None
    assert agent.display_name == "Amoxicilline"


_MATERIAL = (
    '<consumable><manufacturedProduct><manufacturedMaterial><code code="1" displayName="Produit" codeSystem="1.2"/>'
    "<name>NOM</name><lotNumberText>L7</lotNumberText></manufacturedMaterial></manufacturedProduct></consumable>"
)


def test_treatments_and_prescriptions_are_told_apart() -> None:
    given = f'<templateId root="{PCC}.7"/><doseQuantity value="2" unit="{{tablet}}"/>{_MATERIAL}'
    prescribed = f'<templateId root="1.3.6.1.4.1.19376.1.9.1.3.2"/>{given}'
    found = content(
        f"<entry><substanceAdministration>{given}</substanceAdministration></entry>"
        f"<entry><substanceAdministration>{prescribed}</substanceAdministration></entry>"
    )
    assert [each.name for each in found.treatments] == ["NOM"]
    assert str(found.treatments[0].dose) == "2 {tablet}"
    assert [each.name for each in found.prescriptions] == ["NOM"]


def test_a_vaccination_has_its_lot_and_says_when_it_was_not_done() -> None:
    found = content(
        f'<entry><substanceAdministration negationInd="true"><templateId root="{PCC}.12"/>'
        f'<effectiveTime value="20240101"/>{_MATERIAL}</substanceAdministration></entry>'
    )
    assert [(each.lot, each.date, each.is_absent) for each in found.vaccinations] == [("L7", "20240101", True)]


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('<value xsi:type="PQ" value="5.4" unit="mmol/L"/>', Quantity(value="5.4", unit="mmol/L")),
        ('<value xsi:type="CD" code="A" displayName="Positif" codeSystem="1"/>', Quantity(value="Positif")),
        ('<value xsi:type="ST">trouble</value>', Quantity(value="trouble")),
        (
            '<value xsi:type="IVL_PQ"><low value="1" unit="g"/><high value="2" unit="g"/></value>',
            Quantity(value="1 – 2", unit="g"),
        ),
        ('<value xsi:type="IVL_PQ"><high value="2" unit="g"/></value>', Quantity(value="≤ 2", unit="g")),
        ('<value xsi:type="PQ" nullFlavor="UNK"/>', Quantity()),
    ],
)
def test_a_result_of_any_type(value: str, read: Quantity) -> None:
    found = content(
        '<entry><observation><templateId root="1.3.6.1.4.1.19376.1.3.1.6"/>'
        f'<code code="1" displayName="Glucose" codeSystem="1"/>{value}</observation></entry>'
    )
    assert [each.value for each in found.results] == [read]


def test_rows_for_a_reader_name_what_they_are() -> None:
    found = content(
        f'<entry><observation><templateId root="{PCC}.13.2"/><value xsi:type="PQ" value="70" unit="kg"/></observation></entry>'
    )
    assert [row[0] for row in content_rows(found)] == ["Mesure"]


def test_the_results_of_our_report_are_read() -> None:
    found = read_clinical_content(read_document((EXAMPLES / "cr-biologie.xml").read_bytes()))
    assert found.results
    assert all(str(each.value) for each in found.results)


@pytest.mark.corpus
def test_the_examples_have_content_of_every_kind(corpus: Path) -> None:
    totals = dict.fromkeys(ClinicalContent.__slots__, 0)
    for path in sorted((corpus / "cda" / "examples" / "current").glob("*.xml")):
        found = read_clinical_content(read_document(path.read_bytes()))
        for kind in totals:
            totals[kind] += len(getattr(found, kind))
    assert all(totals.values()), totals
