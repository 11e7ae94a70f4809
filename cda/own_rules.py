"""What the published rules miss, checked here: keys, shapes, time zones, references, embedded files.

`own_rule_table` has the severity and the words of each.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cache

from cda.base64_text import ends_of_base64
from cda.code_shapes import CODE_SHAPES
from cda.datatype_checks import interval_is_in_order
from cda.findings import Finding, Model
from cda.models import model_versions
from cda.national_identifiers import (
    INS_ROOTS,
    PROFESSIONAL_ROOT,
    STRUCTURE_ROOT,
    ins_key_is_right,
    is_ins,
    is_professional,
    rpps_key_is_right,
)
from cda.own_rule_table import finding
from cda.schematron.nodes import Node, Nodes
from schemas.value_sets import value_set

_V3 = "{urn:hl7-org:v3}"
_HOUR = re.compile(r"\d{10,14}(\.\d+)?")
_TO_THE_SECOND = re.compile(r"\d{14}(\.\d+)?[+-]\d{4}")
_AUTHOR_ROOTS = frozenset({PROFESSIONAL_ROOT, STRUCTURE_ROOT, *INS_ROOTS})
_MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "text/rtf": (b"{\\rtf",),
    "text/plain": (),
}
_CODE_SYSTEMS: Mapping[tuple[str, ...], str] = {
    ("author", "functionCode"): "JDV_J47_FunctionCode_CISIS",
    ("componentOf", "encompassingEncounter", "code"): "JDV_J142_TypeRencontre_CISIS",
    ("componentOf", "encompassingEncounter", "location", "healthCareFacility", "code"): (
        "JDV_J02_XdsHealthcareFacilityTypeCode_CISIS"
    ),
}
_CONFIDENTIALITY = "2.16.840.1.113883.5.25"
_ADDRESS_PARTS = frozenset({f"{_V3}houseNumber", f"{_V3}streetName", f"{_V3}streetNameType"})
_Broken = tuple[str, Node, str]


def own_findings(nodes: Nodes, model: Model) -> Iterator[Finding]:
    """Every violation of a rule of this module in a ClinicalDocument."""
    for check in _CHECKS:
        for rule, node, found in check(nodes):
            yield finding(rule, node.element, found)
    for rule, node, found in _model(nodes.root, model):
        yield finding(rule, node.element, found)


def _at(node: Node, *names: str) -> Sequence[Node]:
    """Descendants by this path of element names."""
    found: Sequence[Node] = (node,)
    for name in names:
        tag = _V3 + name
        found = [child for each in found if tag in each.children for child in each.children[tag]]
    return found


def _said(node: Node, name: str) -> str:
    return node.attributes.get(name, "")


def _type_id(nodes: Nodes) -> Iterator[_Broken]:
    found = next(iter(_at(nodes.root, "typeId")), None)
    pair = ("", "") if found is None else (_said(found, "root"), _said(found, "extension"))
    if pair != ("2.16.840.1.113883.1.3", "POCD_HD000040"):
        yield "G17", nodes.root if found is None else found, " ".join(pair)


def _times(nodes: Nodes) -> Iterator[_Broken]:
    root = nodes.root
    for each in _at(root, "effectiveTime"):
        if not _TO_THE_SECOND.fullmatch(_said(each, "value")):
            yield "G01-document", each, _said(each, "value")
    for path in (("author", "time"), ("legalAuthenticator", "time"), ("authenticator", "time")):
        yield from (_without_offset(each) for each in _at(root, *path) if _is_local(each))
    act = ("documentationOf", "serviceEvent", "effectiveTime")
    for bound in ("low", "high"):
        yield from (_without_offset(each) for each in _at(root, *act, bound) if _is_local(each))


def _acts(nodes: Nodes) -> Iterator[_Broken]:
    """An act ends no earlier than it begins: the header rules look at each of the two times alone."""
    for each in _at(nodes.root, "documentationOf", "serviceEvent", "effectiveTime"):
        if not interval_is_in_order(each):
            yield (
                "G22",
                each,
                " - ".join(_said(bound, "value") for name in ("low", "high") for bound in _at(each, name)),
            )


def _addresses(nodes: Nodes) -> Iterator[_Broken]:
    """Those of the header are in parts or in lines."""
    body = _at(nodes.root, "component")
    for each in nodes.named(f"{_V3}addr"):
        is_both = f"{_V3}streetAddressLine" in each.children and not _ADDRESS_PARTS.isdisjoint(each.children)
        if is_both and not any(nodes.is_below(each, one) for one in body):
            yield "G23", each, ""


def _is_local(element: Node) -> bool:
    return _HOUR.fullmatch(_said(element, "value")) is not None


def _without_offset(element: Node) -> _Broken:
    return "G01-time", element, _said(element, "value")


def _patient(nodes: Nodes) -> Iterator[_Broken]:
    for each in _at(nodes.root, "recordTarget", "patientRole", "id"):
        if _said(each, "root") in INS_ROOTS:
            yield from _ins(each)
    place = ("recordTarget", "patientRole", "patient", "birthplace", "place", "addr", "county")
    for each in _at(nodes.root, *place):
        text = each.element.text
        if text and not re.fullmatch(r"[0-9][0-9AB][0-9]{3}", text.strip()):
            yield "G02-place", each, text


def _ins(element: Node) -> Iterator[_Broken]:
    value = _said(element, "extension")
    if not is_ins(value):
        yield "G02-length", element, value
    elif not ins_key_is_right(value):
        yield "G02-key", element, value


def _people(nodes: Nodes) -> Iterator[_Broken]:
    for author in _at(nodes.root, "author", "assignedAuthor"):
        yield from _author(author)
    for path in (("legalAuthenticator", "assignedEntity", "id"), ("authenticator", "assignedEntity", "id")):
        for each in _at(nodes.root, *path):
            yield from _professional(each)


def _author(author: Node) -> Iterator[_Broken]:
    identifiers = _at(author, "id")
    if identifiers and not any(_said(each, "root") in _AUTHOR_ROOTS or _is_device(author) for each in identifiers):
        yield "G03-root", identifiers[0], _said(identifiers[0], "root")
    for each in identifiers:
        yield from _professional(each)
    is_professional_author = any(_said(each, "root") == PROFESSIONAL_ROOT for each in identifiers)
    if is_professional_author and not _is_device(author) and not _at(author, "code"):
        yield "G04", author, ""


def _is_device(author: Node) -> bool:
    return bool(_at(author, "assignedAuthoringDevice"))


def _professional(identifier: Node) -> Iterator[_Broken]:
    value = _said(identifier, "extension")
    if _said(identifier, "root") != PROFESSIONAL_ROOT or not value:
        return
    if not is_professional(value):
        yield "G03-form", identifier, value
    elif not rpps_key_is_right(value):
        yield "G03-key", identifier, value


def _code_systems(nodes: Nodes) -> Iterator[_Broken]:
    for path, name in _CODE_SYSTEMS.items():
        for each in _at(nodes.root, *path):
            if _said(each, "codeSystem") and _said(each, "codeSystem") not in _systems(name):
                yield "G05", each, _said(each, "codeSystem")
    for each in _at(nodes.root, "confidentialityCode"):
        if _said(each, "codeSystem") != _CONFIDENTIALITY:
            yield "G05", each, _said(each, "codeSystem")


@cache
def _systems(name: str) -> Set[str]:
    """The code systems of a value set."""
    return frozenset(concept.system for concept in value_set(name).concepts)


def _codes(nodes: Nodes) -> Iterator[_Broken]:
    for node in nodes.coded:
        system, code = node.attributes["codeSystem"], node.attributes.get("code")
        has_shape = CODE_SHAPES.get(system)
        if has_shape is not None and code is not None and not has_shape(code):
            yield f"G21-{system}", node, code


def _sections(nodes: Nodes) -> Iterator[_Broken]:
    for section in nodes.named(f"{_V3}section"):
        title = _at(section, "title")
        if not title or not (title[0].element.text or "").strip():
            yield "G06-title", section, ""
        if not _at(section, "text") and not _at(section, "component"):
            yield "G06-text", section, ""


def _references(nodes: Nodes) -> Iterator[_Broken]:
    for each in nodes.named(f"{_V3}reference"):
        value = _said(each, "value")
        if value.startswith("#") and len(value) > 1 and value[1:] not in nodes.identifiers:
            yield "G07", each, value


def _versions(nodes: Nodes) -> Iterator[_Broken]:
    root = nodes.root
    replaced = [each for each in _at(root, "relatedDocument") if _said(each, "typeCode") == "RPLC"]
    for each in _at(root, "versionNumber"):
        value = _said(each, "value")
        if re.fullmatch(r"[+-]?\d+", value) and int(value) < 1:
            yield "G08-number", each, value
        elif value.isdigit() and int(value) > 1 and not replaced:
            yield "G08-replaced", each, value
    own = {(_said(each, "root"), _said(each, "extension")) for each in _at(root, "id")}
    for each in replaced:
        for parent in _at(each, "parentDocument", "id"):
            if (_said(parent, "root"), _said(parent, "extension")) in own:
                yield "G08-itself", parent, _said(parent, "root")


def _identifiers(nodes: Nodes) -> Iterator[_Broken]:
    for name in ("id", "setId"):
        for each in _at(nodes.root, name):
            if len(_said(each, "root")) > 64:
                yield "G16", each, _said(each, "root")


def _signers(nodes: Nodes) -> Iterator[_Broken]:
    for each in _at(nodes.root, "authenticator", "signatureCode"):
        if _said(each, "code") != "S":
            yield "G18", each, _said(each, "code")
    for each in _at(nodes.root, "custodian", "assignedCustodian", "representedCustodianOrganization", "id"):
        if _said(each, "root") == STRUCTURE_ROOT and not _said(each, "extension"):
            yield "G20-custodian", each, _said(each, "root")
    for each in _at(nodes.root, "legalAuthenticator", "assignedEntity"):
        if not any(_at(each, name) for name in ("assignedPerson", "representedOrganization")):
            yield "G20-signer", each, ""


def _level_1(nodes: Nodes) -> Iterator[_Broken]:
    for each in _at(nodes.root, "component", "nonXMLBody", "text"):
        media = _said(each, "mediaType")
        if media not in _MAGIC:
            yield "G09-media", each, media
        if _said(each, "representation") != "B64":
            yield "G09-representation", each, _said(each, "representation")
        else:
            yield from _embedded(each, media)


def _embedded(element: Node, media: str) -> Iterator[_Broken]:
    try:
        first, last = ends_of_base64(element.element.text or "")
    except ValueError:
        first = last = b""
    if not first:
        yield "G09-base64", element, ""
        return
    magic = _MAGIC.get(media, ())
    if magic and not first.startswith(magic):
        yield "G09-magic", element, media
    elif media == "application/pdf" and b"/Encrypt" in last:
        yield "G09-encrypted", element, media


def _model(root: Node, model: Model) -> Iterator[_Broken]:
    if not model.name:
        yield "G19-none", root, ""
    elif not model.is_recognised:
        yield "G19", root, model.name
    else:
        codes = {code for each in model_versions() if each.name == model.name for code in each.type_codes}
        for each in _at(root, "code"):
            if codes and _said(each, "code") not in codes:
                yield "G19-code", each, _said(each, "code")


_CHECKS: tuple[Callable[[Nodes], Iterator[_Broken]], ...] = (
    _type_id,
    _times,
    _acts,
    _addresses,
    _patient,
    _people,
    _code_systems,
    _codes,
    _sections,
    _references,
    _versions,
    _identifiers,
    _signers,
    _level_1,
)
