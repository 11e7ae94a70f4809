"""The message schema accepts what the standard allows and refuses what it does not. ITI TF-3: 4.2; ebRIM 3.0."""

from collections.abc import Callable
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from schemas import resource

SAMPLES = Path(__file__).with_name("samples")
XSD = sorted(file.name for file in resource("xsd/messages.xsd").parent.glob("*.xsd"))
CDA = sorted(file.name for file in resource("cda/cda.xsd").parent.glob("*.xsd"))
XS = "http://www.w3.org/2001/XMLSchema"
NAMESPACES = {
    "rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0",
    "rs": "urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0",
    "lcm": "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0",
    "query": "urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0",
    "xds": "urn:ihe:iti:xds-b:2007",
}
IN_NO_MESSAGE = {  # rim:Action has an abstract type, so that only its substitutes can be sent
    (NAMESPACES["rim"], "Action"),
    (NAMESPACES["rim"], "InternationalString"),
    (NAMESPACES["rim"], "PostalAddress"),
    (NAMESPACES["rim"], "SlotList"),
}
Change = Callable[[etree._Element], None]


@pytest.fixture(scope="module")
def messages() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(resource("xsd/messages.xsd")))


@pytest.fixture(scope="module")
def explained() -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(resource("xsd/messages.xsd"), allow="local")


def sample(name: str) -> etree._Element:
    return etree.parse(SAMPLES / f"{name}.xml").getroot()


def first(root: etree._Element, path: str) -> etree._Element:
    [element, *_] = root.xpath(path, namespaces=NAMESPACES)
    return element


@pytest.mark.parametrize("name", XSD)
def test_every_schema_file_compiles_alone(name: str) -> None:
    etree.XMLSchema(etree.parse(resource(f"xsd/{name}")))
    xmlschema.XMLSchema10(resource(f"xsd/{name}"), allow="local")


@pytest.mark.parametrize("name", XSD)
def test_every_schema_file_says_what_it_restates_and_refers_to_its_neighbours_only(name: str) -> None:
    root = etree.parse(resource(f"xsd/{name}")).getroot()
    documentation = root.findtext(f"{{{XS}}}annotation/{{{XS}}}documentation") or ""
    assert any(
        standard in documentation for standard in ("ebRIM 3.0", "ebRS 3.0", "ITI TF-2", "XML 1.0", "DMP 3", "DMP 5")
    )
    references = root.iter(f"{{{XS}}}import", f"{{{XS}}}include")
    assert {reference.get("schemaLocation") for reference in references} <= set(XSD)


@pytest.mark.parametrize("name", CDA)
def test_every_file_of_the_cda_schema_refers_to_its_neighbours_only(name: str) -> None:
    root = etree.parse(resource(f"cda/{name}")).getroot()
    assert (root.findtext(f"{{{XS}}}annotation/{{{XS}}}documentation") or "").strip()
    references = root.iter(f"{{{XS}}}import", f"{{{XS}}}include")
    assert {reference.get("schemaLocation") for reference in references} <= set(CDA)


def test_the_cda_schema_takes_our_reports_and_refuses_another_order() -> None:
    schema = etree.XMLSchema(etree.parse(resource("cda/cda.xsd")))
    for path in sorted((Path(__file__).parents[2] / "examples" / "reports").glob("*.xml")):
        document = etree.parse(path)
        schema.assertValid(document)
        title = document.getroot().find("{urn:hl7-org:v3}title")
        assert title is not None
        document.getroot().append(title)
        assert not schema.validate(document)


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*.xml")), ids=lambda file: file.stem)
def test_samples_are_valid(file: Path, messages: etree.XMLSchema, explained: xmlschema.XMLSchema10) -> None:
    messages.assertValid(etree.parse(file))
    explained.validate(file)


def test_samples_use_every_declared_element() -> None:
    declared = {
        (root.get("targetNamespace"), element.get("name"))
        for root in (
            etree.parse(resource(f"xsd/{name}")).getroot() for name in XSD if not name.startswith(("hl7v3", "dmp_"))
        )
        for element in root.iter(f"{{{XS}}}element")
        if element.get("name") and element.get("abstract") != "true"
    }
    trees = [etree.parse(file) for file in SAMPLES.glob("*.xml")]
    used = {(etree.QName(item).namespace, etree.QName(item).localname) for tree in trees for item in tree.iter("{*}*")}
    assert declared - used == IN_NO_MESSAGE


def without(path: str) -> Change:
    return lambda root: first(root, path).getparent().remove(first(root, path))


def without_attribute(path: str, name: str) -> Change:
    return lambda root: first(root, path).attrib.__delitem__(name)


def with_attribute(path: str, name: str, value: str) -> Change:
    return lambda root: first(root, path).set(name, value)


def with_text(path: str, text: str) -> Change:
    return lambda root: setattr(first(root, path), "text", text)


def moved_to_front(path: str) -> Change:
    return lambda root: first(root, path).getparent().insert(0, first(root, path))


def renamed(path: str, tag: str) -> Change:
    return lambda root: setattr(first(root, path), "tag", tag)


FAULTS: dict[str, tuple[str, Change]] = {
    "Name before Slot": ("provide_and_register", moved_to_front("//rim:ExtrinsicObject/rim:Name")),
    "object without id": ("provide_and_register", without_attribute("//rim:ExtrinsicObject", "id")),
    "Classification without classifiedObject": (
        "provide_and_register",
        without_attribute("//rim:Classification", "classifiedObject"),
    ),
    "Association without type": (
        "provide_and_register",
        without_attribute("//rim:Association", "associationType"),
    ),
    "ExternalIdentifier without value": (
        "provide_and_register",
        without_attribute("//rim:ExternalIdentifier", "value"),
    ),
    "Slot without ValueList": ("provide_and_register", without("//rim:Slot/rim:ValueList")),
    "Slot name over 256 characters": ("provide_and_register", with_attribute("//rim:Slot", "name", "n" * 257)),
    "Value over 256 characters": ("provide_and_register", with_text("//rim:Value", "v" * 257)),
    "title over 1024 characters": (
        "provide_and_register",
        with_attribute("//rim:LocalizedString", "value", "t" * 1025),
    ),
    "unknown attribute": ("provide_and_register", with_attribute("//rim:ExtrinsicObject", "hash", "0")),
    "unknown object": (
        "provide_and_register",
        renamed("//rim:Association", f"{{{NAMESPACES['rim']}}}Relation"),
    ),
    "document that is not base64": ("provide_and_register", with_text("//xds:Document", "Qm9uam91c")),
    "document without id": ("provide_and_register", without_attribute("//xds:Document", "id")),
    "submission without SubmitObjectsRequest": ("provide_and_register", without("//lcm:SubmitObjectsRequest")),
    "unknown returnType": ("stored_query", with_attribute("//query:ResponseOption", "returnType", "Everything")),
    "query without ResponseOption": ("stored_query", without("//query:ResponseOption")),
    "maxResults that is no number": ("stored_query", with_attribute("/*", "maxResults", "ten")),
    "answer without status": ("query_response", without_attribute("/*", "status")),
    "answer without RegistryObjectList": ("query_response", without("//rim:RegistryObjectList")),
    "error without code": ("registry_response", without_attribute("//rs:RegistryError", "errorCode")),
    "error list without errors": ("query_response", without("//rs:RegistryError")),
    "DocumentUniqueId before RepositoryUniqueId": (
        "retrieve_request",
        moved_to_front("//xds:DocumentUniqueId"),
    ),
    "retrieve answer without mimeType": ("retrieve_response", without("//xds:mimeType")),
    "NewDocumentUniqueId before DocumentUniqueId": (
        "retrieve_response",
        moved_to_front("//xds:NewDocumentUniqueId"),
    ),
    "reference list with an object in it": (
        "remove_objects",
        renamed("//rim:ObjectRef", f"{{{NAMESPACES['rim']}}}Person"),
    ),
    "body element of no transaction": ("remove_objects", renamed("/*", f"{{{NAMESPACES['lcm']}}}DeleteEverything")),
    "event without time": ("every_registry_object", without_attribute("//rim:AuditableEvent", "timestamp")),
    "telephone number over 16 characters": (
        "every_registry_object",
        with_attribute("//rim:TelephoneNumber", "number", "0" * 17),
    ),
    "abstract action": (
        "every_registry_object",
        renamed("//rim:NotifyAction", f"{{{NAMESPACES['rim']}}}Action"),
    ),
}


@pytest.mark.parametrize(("name", "change"), FAULTS.values(), ids=list(FAULTS))
def test_fault_is_refused(
    name: str, change: Change, messages: etree.XMLSchema, explained: xmlschema.XMLSchema10
) -> None:
    message = sample(name)
    assert messages.validate(message)
    change(message)
    assert not messages.validate(message)
    assert not explained.is_valid(etree.tostring(message, encoding="unicode"))


def test_limits_count_characters_and_include_the_last(messages: etree.XMLSchema) -> None:
    message = sample("provide_and_register")
    with_text("//rim:Value", "é" * 256)(message)
    with_attribute("//rim:LocalizedString", "value", "é" * 1024)(message)
    messages.assertValid(message)


def test_symbolic_ids_and_uuid_urns_are_both_references(messages: etree.XMLSchema) -> None:
    message = sample("provide_and_register")
    with_attribute("//rim:Association", "sourceObject", "SubmissionSet01")(message)
    with_attribute("//rim:Association", "targetObject", "urn:uuid:00000000-0000-4000-8000-000000000001")(message)
    messages.assertValid(message)


@pytest.mark.parametrize("name", ["xsd/rim.xsd", "wsdl/registry.wsdl"])
def test_resource_finds_a_file_by_name(name: str) -> None:
    assert resource(name).read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    "name",
    [
        "xsd/none.xsd",
        "none/rim.xsd",
        "xsd",
        "",
        "wsdl.py",
        "xsd/../wsdl.py",
        "../setup.cfg",
        "xsd/rim.xsd/",
        "/etc/passwd",
    ],
)
def test_resource_refuses_and_names_what_it_does_not_hold(name: str) -> None:
    with pytest.raises(FileNotFoundError) as refusal:
        resource(name)
    assert repr(name) in str(refusal.value)
