"""The example reports: valid, complete, about nobody, and readable."""

import base64
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from lxml import etree

from cda.datatypes import II
from cda.document import CDA, read_document
from cda.document_entry import Derived, document_entry
from cda.header import Header, read_header

CHECKOUT = Path(__file__).resolve().parents[2]
REPORTS = CHECKOUT / "examples" / "reports"
XSD = CHECKOUT.parent / "shared" / "corpus" / "cda" / "official" / "infrastructure" / "cda" / "CDA_extended.xsd"
FONT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
CODES = {
    "cr-biologie": ("11502-2", "urn:ihe:lab:xd-lab:2008", "10"),
    "cr-consultation": ("11488-4", "urn:ihe:iti:xds-sd:pdf:2008", "10"),
    "lettre-liaison-sortie": ("11490-0", "urn:asip:ci-sis:ldl-ses:2017", "10"),
}
WITH_PDF = ("cr-biologie", "cr-consultation")
INS_TEST = "1.2.250.1.213.1.4.10"
PDF_TEXT = re.compile(r'representation="B64">([^<]+)<')


def header_of(name: str) -> Header:
    return read_header(read_document((REPORTS / f"{name}.xml").read_bytes()))


def derived(name: str) -> Derived:
    return document_entry(header_of(name))


def tree_of(name: str) -> etree._Element:
    return read_document((REPORTS / f"{name}.xml").read_bytes()).clinical_document


def pdf_of(folder: Path, name: str) -> bytes:
    found = PDF_TEXT.search((folder / f"{name}.xml").read_text(encoding="utf-8"))
    assert found
    return base64.b64decode(found[1])


def pages_of(pdf: bytes) -> list[bytes]:
    """The decompressed contents of the pages."""
    streams = re.findall(rb"/FlateDecode /Length \d+ >>\nstream\n(.*?)\nendstream", pdf, re.DOTALL)
    return [content for content in map(zlib.decompress, streams) if content.startswith(b"BT ")]


def luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def test_these_are_the_reports() -> None:
    assert {file.stem for file in REPORTS.glob("*.xml")} == set(CODES)


@pytest.mark.parametrize("name", CODES)
def test_a_report_gives_a_complete_entry_without_a_guess(name: str) -> None:
    result = derived(name)
    assert (result.missing, result.assumed) == ((), ())
    entry = result.entry
    assert entry.type_code and entry.format_code and entry.class_code
    assert (entry.type_code.code, entry.format_code.code, entry.class_code.code) == CODES[name]


def test_all_reports_are_about_the_same_test_patient() -> None:
    patients = [header_of(name).patient for name in CODES]
    assert {patient.id[0] for patient in patients} == {II(root=INS_TEST, extension="258063523804186")}
    assert len({(patient.name, patient.birth_time, patient.administrative_gender_code) for patient in patients}) == 1
    assert len({header_of(name).id for name in CODES} | {header_of(name).set_id for name in CODES}) == 6


def test_the_ins_agrees_with_the_traits_and_its_key() -> None:
    patient = header_of("cr-consultation").patient
    ins = patient.id[0].extension
    assert 97 - int(ins[:13]) % 97 == int(ins[13:])
    county = tree_of("cr-consultation").findtext(f".//{{{CDA}}}birthplace//{{{CDA}}}county")
    assert county == ins[5:10]
    assert patient.birth_time[2:6] == ins[1:5]
    assert patient.administrative_gender_code and patient.administrative_gender_code.code == "F" and ins[0] == "2"


@pytest.mark.parametrize("name", CODES)
def test_professional_and_structure_numbers_are_well_formed_and_out_of_the_ranges_in_use(name: str) -> None:
    root = tree_of(name)
    people = {each.get("extension") for each in root.iter(f"{{{CDA}}}id") if each.get("root") == "1.2.250.1.71.4.2.1"}
    structures = {
        each.get("extension") for each in root.iter(f"{{{CDA}}}id") if each.get("root") == "1.2.250.1.71.4.2.2"
    }
    assert len(people) >= 2 and len(structures) >= 2
    for number in people:
        assert number and re.fullmatch(r"8999\d{8}", number) and luhn(number[1:])
    for number in structures:
        assert number and re.fullmatch(r"135099\d{4}", number) and luhn(number[1:])


@pytest.mark.parametrize("name", CODES)
def test_every_reference_to_the_narrative_resolves(name: str) -> None:
    root = tree_of(name)
    anchors = [str(each.get("ID")) for each in root.iter() if each.get("ID")]
    assert len(set(anchors)) == len(anchors)
    references = {str(each.get("value")) for each in root.iter(f"{{{CDA}}}reference")}
    assert references <= {f"#{anchor}" for anchor in anchors}
    assert references or name == "cr-consultation"


@pytest.mark.parametrize("name", ["cr-biologie", "lettre-liaison-sortie"])
def test_every_section_has_a_title_and_words(name: str) -> None:
    for section in tree_of(name).iter(f"{{{CDA}}}section"):
        assert section.findtext(f"{{{CDA}}}title")
        narrative = section.find(f".//{{{CDA}}}text")
        assert narrative is not None and len("".join(map(str, narrative.itertext())).split()) > 3


def test_every_result_of_the_laboratory_is_in_the_narrative() -> None:
    root = tree_of("cr-biologie")
    rows = {str(row.xpath("string(.//@ID)")): "".join(map(str, row.itertext())) for row in root.iter(f"{{{CDA}}}tr")}
    observations = [
        each for each in root.iter(f"{{{CDA}}}observation") if each.find(f"{{{CDA}}}value[@value]") is not None
    ]
    assert len(observations) == 6
    for observation in observations:
        reference = observation.find(f".//{{{CDA}}}originalText/{{{CDA}}}reference")
        result = observation.find(f"{{{CDA}}}value")
        assert reference is not None and result is not None
        assert str(result.get("value")).replace(".", ",") in rows[str(reference.get("value")).removeprefix("#")]


@pytest.mark.parametrize("name", WITH_PDF)
def test_the_pdf_declares_pdf_a_1b_and_embeds_what_it_uses(name: str) -> None:
    pdf = pdf_of(REPORTS, name)
    assert pdf.startswith(b"%PDF-1.4\n%") and pdf.endswith(b"%%EOF\n") and len(pdf) < 60_000
    assert b"<pdfaid:part>1</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in pdf
    for needed in (b"/OutputIntents", b"/DestOutputProfile 4 0 R", b"/FontFile2 8 0 R", b"/ID [<"):
        assert needed in pdf
    for refused in (b"/Encrypt", b"/JavaScript", b"/SMask", b"/LZWDecode", b"/EmbeddedFile", b"/ObjStm"):
        assert refused not in pdf


@pytest.mark.parametrize("name", WITH_PDF)
def test_the_cross_reference_table_points_at_every_object(name: str) -> None:
    pdf = pdf_of(REPORTS, name)
    start = int(re.findall(rb"startxref\n(\d+)", pdf)[0])
    entries = re.findall(rb"(\d{10}) 00000 n \n", pdf[start:])
    assert len(entries) >= 10
    for number, entry in enumerate(entries, start=1):
        assert pdf[int(entry) :].startswith(f"{number} 0 obj\n".encode())


@pytest.mark.parametrize("name", WITH_PDF)
def test_the_pdf_holds_the_words_of_its_text(name: str) -> None:
    shown = [
        bytes.fromhex(part.decode()).decode("cp1252")
        for page in pages_of(pdf_of(REPORTS, name))
        for part in re.findall(rb"<([0-9a-f]+)>", page)
    ]
    text = re.sub(r"^#+ ", "", (REPORTS / f"{name}.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert " ".join(shown).split() == text.split()


@pytest.mark.skipif(not FONT.exists(), reason="DejaVu Sans is not installed")
def test_making_the_pdfs_again_gives_the_same_pages(tmp_path: Path) -> None:
    for file in REPORTS.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    command = [sys.executable, "-B", str(tmp_path / "make_pdf.py"), str(FONT)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    for name in WITH_PDF:
        assert pages_of(pdf_of(tmp_path, name)) == pages_of(pdf_of(REPORTS, name))
        made, kept = (PDF_TEXT.sub("", (folder / f"{name}.xml").read_text()) for folder in (tmp_path, REPORTS))
        assert made == kept


@pytest.mark.corpus
@pytest.mark.parametrize("name", CODES)
def test_a_report_is_valid_against_the_schema(name: str) -> None:
    schema = etree.XMLSchema(etree.parse(XSD))
    assert schema.validate(etree.parse(REPORTS / f"{name}.xml")), schema.error_log
