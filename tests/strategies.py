"""Hypothesis strategies: every datatype and object, with values that are legal on the wire."""

from typing import Any

from hypothesis import strategies as st

from xds.datatypes import CX, DTM, XCN, XON, XTN, Code, CXi, escape
from xds.ebrim.attributes import TABLES
from xds.metadata import Association, Author, DocumentEntry, ExtraCode, Folder, RegistryObject, Slot, SubmissionSet
from xds.vocabulary import AssociationType, AvailabilityStatus, DocumentAvailability, ObjectType

# Text that XML can carry and that trimming and HL7 delimiters leave alone.
_LETTERS = st.characters(
    whitelist_categories=("L", "N", "P", "S", "Zs"), blacklist_characters="\u2028\u2029", max_codepoint=0xFFFD
)
texts = st.text(_LETTERS, min_size=1, max_size=40).map(str.strip).filter(bool)
words = st.text("abcdefghijklmnopqrstuvwxyzÀÉéèüç-' ", min_size=1, max_size=20).map(str.strip).filter(bool)
oids = st.lists(st.integers(0, 10**6), min_size=1, max_size=6).map(lambda arcs: "2." + ".".join(map(str, arcs)))
uuids = st.uuids().map(lambda value: value.urn)
components = texts.map(escape)

cxs = st.builds(lambda id, oid: CX.of(id=id, authority=oid), texts, oids)
cxis = st.builds(
    lambda id, oid, kind: CXi.parse(f"{escape(id)}^^^&{oid}&ISO^{escape(kind)}"),
    texts,
    oids,
    st.sampled_from(["order"]),
)
xcns = st.builds(
    lambda id, family, given, oid: XCN.parse(f"{escape(id)}^{escape(family)}^{escape(given)}^^^^^^&{oid}&ISO^D"),
    texts,
    words,
    words,
    oids,
)
xons = st.builds(lambda name, oid, id: XON.parse(f"{escape(name)}^^^^^&{oid}&ISO^^^^{escape(id)}"), words, oids, texts)
xtns = st.one_of(
    st.just(XTN.parse("^^Internet^a@example.org")), st.integers(1, 10**9).map(lambda n: XTN.parse(f"^PRN^PH^^33^1^{n}"))
)
codes = st.builds(lambda c, s, d: Code(code=c, coding_scheme=s, display_name=d), texts, st.one_of(oids, texts), texts)
moments = st.datetimes().map(lambda moment: moment.strftime("%Y%m%d%H%M%S").rjust(14, "0"))
dtms = st.builds(lambda text, length: DTM.parse(text[:length]), moments, st.sampled_from([4, 6, 8, 10, 12, 14])).filter(
    lambda value: value.text[:4] != "0000"
)
hashes = st.text("0123456789abcdef", min_size=40, max_size=40)
extra_slots = st.lists(
    st.builds(
        Slot,
        words.map(lambda word: f"urn:example:{word.replace(' ', '').lower()}"),
        st.lists(texts, min_size=1, max_size=3).map(tuple),
    ),
    max_size=2,
    unique_by=lambda slot: slot.name,
).map(tuple)


extra_codes = st.lists(st.builds(ExtraCode, uuids, codes), max_size=2, unique_by=lambda extra: extra.scheme).map(tuple)


def some(values: st.SearchStrategy[Any], at_most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=at_most).map(tuple)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


authors = st.builds(
    Author,
    author_person=maybe(xcns),
    author_institution=st.lists(xons, min_size=1, max_size=2).map(tuple),
    author_role=some(texts, 2),
    author_specialty=some(texts, 2),
    author_telecommunication=some(xtns, 2),
)
identity = {
    "entry_uuid": uuids,
    "logical_id": maybe(uuids),
    "version": maybe(st.integers(1, 99)),
    "availability_status": maybe(st.sampled_from(AvailabilityStatus)),
    "home_community_id": maybe(oids.map(lambda oid: f"urn:oid:{oid}")),
    "extra_slots": extra_slots,
    "extra_codes": extra_codes,
}
document_entries = st.builds(
    DocumentEntry,
    **identity,
    object_type=st.sampled_from(ObjectType),
    mime_type=maybe(st.sampled_from(["text/xml", "application/pdf", "application/dicom"])),
    author=some(authors, 2),
    class_code=maybe(codes),
    comments=maybe(texts),
    confidentiality_code=some(codes),
    creation_time=maybe(dtms),
    document_availability=maybe(st.sampled_from(DocumentAvailability)),
    event_code_list=some(codes),
    format_code=maybe(codes),
    hash=maybe(hashes),
    healthcare_facility_type_code=maybe(codes),
    language_code=maybe(st.sampled_from(["fr-FR", "fr", "en-US"])),
    legal_authenticator=maybe(xcns),
    patient_id=maybe(cxs),
    practice_setting_code=maybe(codes),
    reference_id_list=some(cxis),
    repository_unique_id=maybe(oids),
    service_start_time=maybe(dtms),
    service_stop_time=maybe(dtms),
    size=maybe(st.integers(0, 10**12)),
    source_patient_id=maybe(cxs),
    source_patient_info=some(words.map(lambda word: f"PID-5|{word}^{word}^^^^^L")),
    title=maybe(texts),
    type_code=maybe(codes),
    unique_id=maybe(oids),
    uri=maybe(st.just("doc/0001.xml")),
)
submission_sets = st.builds(
    SubmissionSet,
    **identity,
    author=some(authors, 2),
    comments=maybe(texts),
    content_type_code=maybe(codes),
    intended_recipient=some(words.map(lambda word: f"{word}^^^^^^^^^2.25.1|^{word}^{word}")),
    patient_id=maybe(cxs),
    source_id=maybe(oids),
    submission_time=maybe(dtms),
    title=maybe(texts),
    unique_id=maybe(oids),
)
folders = st.builds(
    Folder,
    **identity,
    code_list=some(codes),
    comments=maybe(texts),
    last_update_time=maybe(dtms),
    patient_id=maybe(cxs),
    title=maybe(texts),
    unique_id=maybe(oids),
)
associations = st.builds(
    Association,
    **identity,
    association_type=st.sampled_from(AssociationType),
    source=uuids,
    target=uuids,
    submission_set_status=maybe(st.sampled_from(["Original", "Reference"])),
    previous_version=maybe(st.integers(1, 99)),
    association_propagation=maybe(st.sampled_from(["yes", "no"])),
    original_status=maybe(st.just("urn:oasis:names:tc:ebxml-regrep:StatusType:Approved")),
    new_status=maybe(st.just("urn:oasis:names:tc:ebxml-regrep:StatusType:Deprecated")),
    documentation=maybe(codes),
)
objects: st.SearchStrategy[RegistryObject] = st.one_of(document_entries, submission_sets, folders, associations)


def fields_of(kind: type[RegistryObject]) -> set[str]:
    """The fields the attribute table knows, to prove that the strategies leave none out."""
    return {row.field for row in TABLES[kind].attributes}
