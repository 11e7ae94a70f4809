"""Documents of every type of the DMP: CDA R2 of level 1 with the French header, and what is said of each. CI-SIS 3.5"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from xml.sax.saxutils import escape, quoteattr

from conformance.population.bodies import Form, forms, structured_forms
from conformance.population.chance import Chance
from conformance.population.people import TEST_NIR, Patient, Professional
from conformance.population.structured import write_structured
from conformance.population.value_sets import code, rows
from conformance.vihf import Coded

_PARIS = "+0100"
# Kinds that only their holder writes, or that no professional feeds: a population of professionals' documents leaves
# them out. DMP 11; the signature entry is no document.
_NOT_BY_PROFESSIONALS = ("EXPPAT", "DOCPAT", "E1762", "REMB", "74465-6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document and its metadata; `replaces` is the uniqueId of the document it replaces."""

    unique_id: str
    set_id: str
    version: int
    type: Coded
    class_code: Coded
    form: Form
    title: str
    patient: Patient
    author: Professional
    created: datetime
    started: datetime
    confidentiality: tuple[Coded, ...]
    replaces: str = ""

    @property
    def content(self) -> bytes:
        header = write_cda(self)
        return header if self.form.model is None else write_structured(self.form.model, header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A document type in a media type."""

    type: Coded
    class_code: Coded
    form: Form


@cache
def kinds() -> tuple[Kind, ...]:
    """Documents with sections, then every type professionals feed, in every media type, types first."""
    classes = {one.code: one for one in (code("JDV_J57", row["code"]) for row in rows("JDV_J57"))}
    types = [
        (Coded(code=row["code"], system=row["system"], display=row["display"]), classes[row["class"]])
        for row in rows("JDV_J66")
        if not row["code"].startswith(_NOT_BY_PROFESSIONALS) and row["class"] in classes
    ]
    every, by_code = forms(), {type_code.code: (type_code, class_code) for type_code, class_code in types}
    found = [
        Kind(type=by_code[known][0], class_code=by_code[known][1], form=form) for known, form in structured_forms()
    ]
    for turn, (at, (type_code, class_code)) in product(range(len(every)), enumerate(types)):
        found.append(Kind(type=type_code, class_code=class_code, form=every[(at + turn) % len(every)]))
    return tuple(found)


def documents_of(
    seed: int, patient: Patient, index: int, authors: tuple[Professional, ...], now: datetime, count: int
) -> Iterator[Document]:
    """The documents of the record of a patient; kinds in turn over all patients."""
    before: Document | None = None
    for at in range(count if patient.state.has_documents else 0):
        chance, kind = Chance(seed, "document", index, at), kinds()[(index * count + at) % len(kinds())]
        replaces = before if at == 1 and patient.state.name == "replaced-document" else None
        made = _document(
            chance, kind if replaces is None else _kind_of(replaces), patient, chance.one_of(authors), now, at
        )
        if replaces is not None:
            made = _next_version(made, replaces)
        yield made
        before = made


def _kind_of(document: Document) -> Kind:
    return Kind(type=document.type, class_code=document.class_code, form=document.form)


def _document(chance: Chance, kind: Kind, patient: Patient, author: Professional, now: datetime, at: int) -> Document:
    age = timedelta(days=30 * at + chance.below(28) + 1, minutes=chance.below(600))
    codes = [code("JDV_J58", "N")]
    wanted = {"masked-document": "MASQUE_PS", "invisible-document": "INVISIBLE_PATIENT"}.get(patient.state.name)
    if at == 0 and wanted:
        codes.append(code("JDV_J58", wanted))
    created = (now - age).replace(second=0, microsecond=0)
    return Document(
        unique_id=chance.oid(),
        set_id=chance.oid(),
        version=1,
        type=kind.type,
        class_code=kind.class_code,
        form=kind.form,
        title=kind.type.display[:128],
        patient=patient,
        author=author,
        created=created,
        started=created - timedelta(minutes=30),
        confidentiality=tuple(codes),
    )


def _next_version(made: Document, old: Document) -> Document:
    later = old.created + timedelta(days=1)
    return replace(
        made, set_id=old.set_id, version=old.version + 1, replaces=old.unique_id, created=later, title=old.title
    )


def lines_of(document: Document) -> tuple[str, ...]:
    """What the body says, in French."""
    patient, author = document.patient, document.author
    born = {"F": "née", "M": "né"}[patient.sex]
    return (
        document.title,
        f"Patient : {patient.family} {patient.given}, {born} le {patient.birth:%d/%m/%Y}",
        f"Auteur : {author.given} {author.family}, {author.title}",
        f"Date de l'acte : {document.started:%d/%m/%Y %H:%M}",
        "Document fictif d'un jeu d'essai ; aucune personne réelle n'est concernée.",
        "Examen sans particularité. Conclusion : poursuite du suivi habituel, contrôle dans six mois.",
    )


def write_cda(document: Document) -> bytes:
    """The CDA document: UTF-8, the order of elements of the schema."""
    created = f"{document.created:%Y%m%d%H%M%S}{_PARIS}"
    encoded = base64.encodebytes(document.form.write(lines_of(document))).decode("ascii")
    parent = ""
    if document.replaces:
        root = quoteattr(document.replaces)
        parent = (
            f'<relatedDocument typeCode="RPLC"><parentDocument><id root={root}/></parentDocument></relatedDocument>'
        )
    level = next(one for one in document.confidentiality if one.code in "NRV")
    head = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3">'
        '<realmCode code="FR"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>'
        '<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>'
        '<templateId root="1.3.6.1.4.1.19376.1.2.20"/>'
        f"<id root={quoteattr(document.unique_id)}/>{_code('code', document.type)}"
        f"<title>{escape(document.title)}</title>"
        f'<effectiveTime value="{created}"/>{_code("confidentialityCode", level)}<languageCode code="fr-FR"/>'
        f'<setId root={quoteattr(document.set_id)}/><versionNumber value="{document.version}"/>'
    )
    who = f"{_patient(document.patient)}{_author(document, created)}{_custodian(document.author)}"
    body = (
        f'<component><nonXMLBody><text mediaType="{document.form.media_type}" representation="B64">'
        f"{encoded}</text></nonXMLBody></component></ClinicalDocument>\n"
    )
    return (
        f"{head}{who}{_authenticator(document, created)}{_event(document)}{parent}{_encounter(document)}{body}".encode()
    )


def _code(element: str, coded: Coded) -> str:
    values = f"code={quoteattr(coded.code)} codeSystem={quoteattr(coded.system)} displayName={quoteattr(coded.display)}"
    return f"<{element} {values}/>"


def _patient(patient: Patient) -> str:
    cog, city, postal = patient.place
    gender = {"F": "Féminin", "M": "Masculin"}[patient.sex]
    return (
        f'<recordTarget><patientRole><id root="{TEST_NIR}" extension="{patient.ins}"/>'
        f'<id root="2.25.4711" extension="{patient.number}"/>'
        f'<addr use="H"><postalCode>{postal}</postalCode><city>{city}</city></addr><telecom nullFlavor="UNK"/>'
        f'<patient><name><family qualifier="BR">{patient.family}</family><given>{patient.given}</given>'
        f'<given qualifier="BR">{patient.given}</given></name>'
        f'<administrativeGenderCode code="{patient.sex}" displayName="{gender}" codeSystem="2.16.840.1.113883.5.1"/>'
        f'<birthTime value="{patient.birth:%Y%m%d}"/><birthplace><place><addr><county>{cog}</county></addr></place>'
        "</birthplace></patient></patientRole></recordTarget>"
    )


def _organisation(author: Professional, name: str, more: str = "") -> str:
    structure = author.structure
    return (
        f'<{name}><id root="1.2.250.1.71.4.2.2" extension="{structure.identifier}"/>'
        f"<name>{escape(structure.name)}</name>{more}</{name}>"
    )


def _person(author: Professional) -> str:
    return (
        f"<assignedPerson><name><family>{author.family}</family><given>{author.given}</given></name></assignedPerson>"
    )


def _identity(author: Professional) -> str:
    contact = '<addr nullFlavor="UNK"/><telecom nullFlavor="UNK"/>'
    return f'<id root="1.2.250.1.71.4.2.1" extension="{author.identifier}"/>{_code("code", specialty(author))}{contact}'


def specialty(author: Professional) -> Coded:
    """Profession and speciality as one code of JDV_J01."""
    wanted = "/".join(("G15_" + author.roles[0].code, *(one.code for one in author.roles[1:])))
    return code("JDV_J01", wanted)


def _author(document: Document, created: str) -> str:
    author = document.author
    inside = f"{_identity(author)}{_person(author)}{_organisation(author, 'representedOrganization')}"
    return f'<author><time value="{created}"/><assignedAuthor>{inside}</assignedAuthor></author>'


def _custodian(author: Professional) -> str:
    organisation = _organisation(author, "representedCustodianOrganization")
    return f"<custodian><assignedCustodian>{organisation}</assignedCustodian></custodian>"


def _authenticator(document: Document, created: str) -> str:
    author = document.author
    inside = f"{_identity(author)}{_person(author)}{_organisation(author, 'representedOrganization')}"
    return (
        f'<legalAuthenticator><time value="{created}"/><signatureCode code="S"/>'
        f"<assignedEntity>{inside}</assignedEntity></legalAuthenticator>"
    )


def _event(document: Document) -> str:
    author = document.author
    contact = '<telecom nullFlavor="UNK"/><addr nullFlavor="UNK"/>'
    practice = contact + _code("standardIndustryClassCode", code("JDV_J04", "AMBULATOIRE"))
    inside = f"{_identity(author)}{_person(author)}{_organisation(author, 'representedOrganization', practice)}"
    return (
        f'<documentationOf><serviceEvent><effectiveTime><low value="{document.started:%Y%m%d%H%M%S}{_PARIS}"/>'
        f'</effectiveTime><performer typeCode="PRF"><time value="{document.started:%Y%m%d%H%M%S}{_PARIS}"/>'
        f"<assignedEntity>{inside}</assignedEntity></performer>"
        "</serviceEvent></documentationOf>"
    )


def _encounter(document: Document) -> str:
    facility = _code("code", code("JDV_J02", "SA07"))
    return (
        f'<componentOf><encompassingEncounter><effectiveTime><low value="{document.started:%Y%m%d%H%M%S}{_PARIS}"/>'
        f"</effectiveTime><location><healthCareFacility>{facility}</healthCareFacility></location>"
        "</encompassingEncounter></componentOf>"
    )
