"""The rules that registry objects must obey, as generators that yield every violation. ITI TF-3: 4.2.

`attribute_problems` holds for submissions and answers alike; `answer_problems` adds what only a registry assigns.
"""

from collections.abc import Iterable, Iterator

from lxml import etree

from conformance.nist import datatypes
from conformance.nist.codes import CodeTable
from conformance.nist.metadata_attributes import ASSOCIATION_SLOTS, ROWS, CodeRow, ObjectRows, SlotRow
from conformance.nist.registry_objects import (
    ASSOCIATION,
    DOCUMENT_ENTRY,
    SUBMISSION_SET,
    RegistryObject,
    RegistryObjects,
    slot_values,
)
from conformance.nist.vocabulary import (
    APPROVED,
    ASSOCIATION_DOCUMENTATION,
    DEPRECATED,
    HAS_MEMBER,
    LIMITED_METADATA_NODES,
    OBJECT_TYPE_PREFIX,
    ON_DEMAND,
    RELATIONSHIPS,
    RIM,
    STABLE,
)
from conformance.nist.xml import local_name
from conformance.sentence import Sentence

Problems = Iterator[Sentence]
_UPDATE_ASSOCIATIONS = frozenset(
    f"urn:ihe:iti:2010:AssociationType:{name}" for name in ("UpdateAvailabilityStatus", "SubmitAssociation")
)


def attribute_problems(objects: RegistryObjects, codes: CodeTable) -> Problems:
    """Violations of the attribute tables and of the rules on classifications, identifiers and associations."""
    for one in objects.objects:
        for problem in _object_problems(one, objects, codes):
            yield problem.about(str(one))


def answer_problems(objects: RegistryObjects) -> Problems:
    """Violations of what a registry adds: status, lid, version, ids, object types."""
    for one in objects.objects:
        for problem in _assigned_problems(one):
            yield problem.about(str(one))


def _object_problems(one: RegistryObject, objects: RegistryObjects, codes: CodeTable) -> Problems:
    yield from _slot_name_problems(one)
    if one.kind == ASSOCIATION:
        yield from _association_problems(one, objects, codes)
    elif one.kind in ROWS:
        yield from _attributes(one, ROWS[one.kind], codes)
    else:
        yield Sentence(
            "le nœud de classification du paquet n'en fait ni un SubmissionSet ni un Folder, ou en fait les deux",
            "the package is neither a SubmissionSet nor a Folder by its classification node, or both",
        )


def _attributes(one: RegistryObject, rows: ObjectRows, codes: CodeTable) -> Problems:
    is_on_demand = one.element.get("objectType") == ON_DEMAND
    for row in rows.slots:
        yield from _slot_problems(one, row, is_on_demand=is_on_demand)
    for code_row in rows.codes:
        yield from _code_problems(one, code_row, codes)
    yield from _classification_problems(one, rows)
    yield from _identifier_problems(one, rows)
    yield from _title_problems(one, rows)
    if one.kind == DOCUMENT_ENTRY:
        yield from _document_entry_problems(one, codes)


def _slot_name_problems(one: RegistryObject) -> Problems:
    """Slot names are unique; other names than IHE's are URNs outside `urn:ihe:`."""
    names = [slot.get("name", "") for slot in one.element.findall(f"{{{RIM}}}Slot")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Sentence(f"deux fois le Slot {name}", f"Slot {name} occurs twice")
    known = {row.name for row in ROWS[one.kind].slots} if one.kind in ROWS else ASSOCIATION_SLOTS
    for name in names:
        if name not in known and (not name.startswith("urn:") or name.startswith("urn:ihe:")):
            yield Sentence(
                f"le Slot {name} n'est ni un attribut d'IHE ni une métadonnée ajoutée",
                f"Slot {name} is neither an IHE attribute nor extra metadata",
            )
        if not (slot_values(one.element, name) or [""])[0] and name in known:
            yield Sentence(f"le Slot {name} est sans valeur", f"Slot {name} has no value")


def _slot_problems(one: RegistryObject, row: SlotRow, *, is_on_demand: bool) -> Problems:
    values = one.slot(row.name)
    if row.is_stable_only and is_on_demand:
        if values is not None:
            yield Sentence(f"{row.name} sur une fiche à la demande", f"{row.name} on an on-demand entry")
        return
    count = len(values or ())
    if not row.least <= count <= row.most:
        yield Sentence(f"{row.name} : {count} valeurs", f"{row.name}: {count} values")
    yield from (_malformed(row.name, value) for value in values or () if not row.format(value))


def _malformed(name: str, value: str) -> Sentence:
    return Sentence(f"{name} : valeur mal formée {value!r}", f"{name}: malformed value {value!r}")


def _missing(what: str) -> Sentence:
    return Sentence(f"{what} manque", f"{what} is missing")


def _named(name: str, value: str | None) -> Sentence:
    """A value that is wrong as such."""
    return Sentence(f"{name} {value}", f"{name} {value}") if value else _missing(name)


def _code_problems(one: RegistryObject, row: CodeRow, codes: CodeTable) -> Problems:
    found = [code for code in one.classifications if code.get("classificationScheme") == row.scheme]
    if not row.least <= len(found) <= row.most:
        yield Sentence(f"{row.name} : {len(found)} codes", f"{row.name}: {len(found)} codes")
    for classification in found:
        yield from (one.about(row.name) for one in _coded_problems(classification, row.table, codes))


def _coded_problems(classification: etree._Element, table: str, codes: CodeTable) -> Problems:
    code, schemes = classification.get("nodeRepresentation", ""), slot_values(classification, "codingScheme")
    if not code:
        yield Sentence("sans nodeRepresentation", "no nodeRepresentation")
    if len(schemes or ()) != 1:
        count = len(schemes or ())
        yield Sentence(f"{count} valeurs de codingScheme", f"{count} values of codingScheme")
    if not _localized(classification, "Name"):
        yield Sentence("sans libellé", "no display name")
    if code and schemes and not codes.permits(table, code, schemes[0]):
        pair = f"{code}^^{schemes[0]}"
        yield Sentence(f"{pair} n'est pas dans la table de codes {table}", f"{pair} is not in the code table {table}")


def _classification_problems(one: RegistryObject, rows: ObjectRows) -> Problems:
    known = {row.scheme for row in rows.codes} | {rows.author_scheme}
    for found in one.classifications:
        scheme, node = found.get("classificationScheme"), found.get("classificationNode")
        if node in LIMITED_METADATA_NODES:
            yield Sentence("limitedMetadata", "limitedMetadata")
        if scheme is not None and scheme not in known:
            yield Sentence(f"classificationScheme {scheme} inconnu", f"unknown classificationScheme {scheme}")
        if found.get("classifiedObject") != one.id:
            yield _not_enclosing("classifiedObject", found)
        if scheme == rows.author_scheme and scheme:
            yield from (one.about("author") for one in _author_problems(found))


def _not_enclosing(name: str, found: etree._Element) -> Sentence:
    value = found.get(name)
    return Sentence(
        f"{name} {value} n'est pas l'id de l'objet qui l'entoure",
        f"{name} {value} is not the id of the enclosing object",
    )


_AUTHOR_FORMATS = {
    "authorPerson": datatypes.is_xcn,
    "authorInstitution": datatypes.is_xon,
    "authorTelecommunication": datatypes.is_xtn,
}


def _author_problems(author: etree._Element) -> Problems:
    if author.get("nodeRepresentation"):
        found = author.get("nodeRepresentation")
        yield Sentence(f"nodeRepresentation {found} n'est pas vide", f"nodeRepresentation {found} is not empty")
    if len(slot_values(author, "authorPerson") or ()) > 1:
        yield _several("authorPerson")
    if not any(slot_values(author, name) for name in _AUTHOR_FORMATS):
        yield Sentence(
            "ni personne, ni institution, ni télécommunication", "neither person nor institution nor telecommunication"
        )
    for name, is_valid in _AUTHOR_FORMATS.items():
        values = slot_values(author, name) or ()
        yield from (_malformed(name, value) for value in values if not is_valid(value))


def _several(name: str) -> Sentence:
    return Sentence(f"plus d'un {name}", f"more than one {name}")


def _identifier_problems(one: RegistryObject, rows: ObjectRows) -> Problems:
    known = {row.scheme for row in rows.identifiers}
    for row in rows.identifiers:
        values = [
            found.get("value", "").strip()
            for found in one.identifiers
            if found.get("identificationScheme") == row.scheme
        ]
        if len(values) != 1:
            yield Sentence(f"{row.name} : {len(values)} identifiants", f"{row.name}: {len(values)} identifiers")
        yield from (_malformed(row.name, value) for value in values if not row.format(value))
    for found in one.identifiers:
        if found.get("identificationScheme") not in known:
            scheme = found.get("identificationScheme")
            yield Sentence(f"identificationScheme {scheme} inconnu", f"unknown identificationScheme {scheme}")
        if found.get("registryObject") != one.id:
            yield _not_enclosing("registryObject", found)
        if not _localized(found, "Name"):
            value = found.get("value")
            yield Sentence(f"l'identifiant {value} n'a pas de Name", f"the identifier {value} has no Name")


def _title_problems(one: RegistryObject, rows: ObjectRows) -> Problems:
    for name in ("Name", "Description"):
        if len(one.element.findall(f"{{{RIM}}}{name}")) > 1:
            yield _several(name)
    titles = _localized(one.element, "Name")
    if rows.is_title_required and not titles:
        yield _missing("title")
    for count in map(len, titles):
        if count > rows.title_limit:
            yield Sentence(f"titre de {count} caractères", f"title of {count} characters")


def _document_entry_problems(one: RegistryObject, codes: CodeTable) -> Problems:
    object_type, mime_type = one.element.get("objectType", ""), one.element.get("mimeType", "")
    if object_type not in (STABLE, ON_DEMAND):
        yield _named("objectType", object_type)
    if not datatypes.is_mime_type(mime_type):
        yield _named("mimeType", mime_type)
    elif not codes.permits_mime_type(mime_type):
        yield Sentence(
            f"mimeType {mime_type} n'est pas dans la table de codes", f"mimeType {mime_type} is not in the code table"
        )
    start, stop = one.slot("serviceStartTime"), one.slot("serviceStopTime")
    if start and stop and start[0].ljust(14, "0") > stop[0].ljust(14, "9"):
        yield Sentence(
            f"serviceStartTime {start[0]} est après serviceStopTime {stop[0]}",
            f"serviceStartTime {start[0]} is later than serviceStopTime {stop[0]}",
        )


def _association_problems(one: RegistryObject, objects: RegistryObjects, codes: CodeTable) -> Problems:
    association_type = one.element.get("associationType", "")
    if association_type not in RELATIONSHIPS | {HAS_MEMBER} | _UPDATE_ASSOCIATIONS:
        yield Sentence(f"associationType {association_type} inconnu", f"unknown associationType {association_type}")
    if not one.element.get("sourceObject") or one.element.get("sourceObject") == one.element.get("targetObject"):
        yield Sentence(
            "sourceObject et targetObject doivent être là et différer",
            "sourceObject and targetObject must be there and differ",
        )
    documentation = [c for c in one.classifications if c.get("classificationScheme") == ASSOCIATION_DOCUMENTATION]
    if len(documentation) > (1 if association_type in RELATIONSHIPS else 0):
        count = len(documentation)
        yield Sentence(
            f"{count} codes de documentation sur {association_type}",
            f"{count} documentation codes on {association_type}",
        )
    for found in documentation:
        for problem in _coded_problems(found, "associationDocumentation", codes):
            yield problem.about("documentation")
    yield from _submission_set_status_problems(one, objects)


def _submission_set_status_problems(one: RegistryObject, objects: RegistryObjects) -> Problems:
    """Required on a HasMember from a SubmissionSet to a DocumentEntry, when both are in the message."""
    values = one.slot("SubmissionSetStatus")
    if values is not None and (len(values) != 1 or values[0] not in ("Original", "Reference")):
        yield _named("SubmissionSetStatus", str(values))
    sets, entries = ({o.id for o in objects.of(kind)} for kind in (SUBMISSION_SET, DOCUMENT_ENTRY))
    is_member = one.element.get("sourceObject") in sets and one.element.get("targetObject") in entries
    if values is None and is_member and one.element.get("associationType") == HAS_MEMBER:
        yield _missing("SubmissionSetStatus")


def _assigned_problems(one: RegistryObject) -> Problems:
    status = one.element.get("status")
    allowed = (APPROVED,) if one.kind == SUBMISSION_SET else (APPROVED, DEPRECATED)
    if status not in allowed:
        yield _named("status", status)
    if not datatypes.is_uuid(one.id):
        yield Sentence("l'id n'est pas un UUID en minuscules", "the id is no UUID in lower case")
    if not datatypes.is_uuid(one.element.get("lid", "")):
        yield _named("lid", one.element.get("lid"))
    version = one.element.find(f"{{{RIM}}}VersionInfo")
    if version is None or not version.get("versionName", "").isdigit():
        yield Sentence(
            "VersionInfo/@versionName manque ou n'est pas un nombre", "VersionInfo/@versionName is missing or no number"
        )
    yield from _object_type_problems(one)


def _object_type_problems(one: RegistryObject) -> Problems:
    parts: Iterable[etree._Element] = (*one.classifications, *one.identifiers)
    typed = parts if one.kind == DOCUMENT_ENTRY else (one.element, *parts)
    for element in typed:
        if element.get("objectType") != OBJECT_TYPE_PREFIX + local_name(element):
            yield _named("objectType", element.get("objectType")).about(f"{local_name(element)} {element.get('id')}")
    for part in parts:
        if not part.get("id"):
            yield Sentence(f"{local_name(part)} sans id", f"{local_name(part)} without id")


def _localized(element: etree._Element, name: str) -> list[str]:
    """Values of Name or Description that hold something."""
    found = element.findall(f"{{{RIM}}}{name}/{{{RIM}}}LocalizedString")
    return [value for one in found if (value := one.get("value", "").strip())]
