"""A CDA document as a page to read and print, in French. HL7 CDA R2, CI-SIS Structuration minimale.

The page is written here from values of the document, each escaped. It has no script and loads nothing: no link
leaves it, its Content-Security-Policy forbids what it does not have. A style sheet inside the document is never run.
"""

import base64
from collections.abc import Iterator, Mapping
from html import escape

from cda.clinical_content import content_rows, read_clinical_content
from cda.datatypes import II, PN, Element, attribute
from cda.document import CDA, Document
from cda.header import AssignedEntity, Header, Patient, read_header
from cda.narrative import decoded, image_html, narrative_html

_V3 = f"{{{CDA}}}"
_GENDERS = {"F": "féminin", "M": "masculin", "UN": "indéterminé"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; object-src data:; frame-src data:"
_STYLE = (
    "body{font:1rem/1.5 sans-serif;max-width:60rem;margin:auto;padding:1rem;color:#111;background:#fff}"
    "table{border-collapse:collapse;margin:.5rem 0}th,td{border:1px solid #767676;padding:.25rem .5rem;text-align:left}"
    "header table th{font-weight:600}section{margin-top:1.5rem}object{width:100%;height:80vh}img{max-width:100%}"
    "section>div{overflow-x:auto}tr{break-inside:avoid}.print{display:none}"
    "@media print{object,.screen{display:none}.print{display:block}body{max-width:none;padding:0}"
    "section>div{overflow:visible}section table{font-size:.7rem}th,td{overflow-wrap:anywhere}}"
)
_HEADING_LEVELS = 6


def render_html(document: Document) -> str:
    """A complete page of one document, UTF-8."""
    header = read_header(document)
    title = escape(header.title or "Document")
    return (
        '<!DOCTYPE html>\n<html lang="fr"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{title}</h1>{_header(header)}</header><main>{_body(document)}</main></body></html>\n"
    )


def _header(header: Header) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in _facts(header)
        if value
    )
    return f"<table><caption>En-tête</caption><tbody>{rows}</tbody></table>"


def _facts(header: Header) -> Iterator[tuple[str, str]]:
    patient = header.patient
    yield "Patient", _patient_name(patient)
    yield "Né(e) le", _date(patient.birth_time)
    gender = patient.administrative_gender_code
    yield "Sexe", _GENDERS.get(gender.code, gender.code) if gender else ""
    yield "Identifiants", ", ".join(each.extension for each in patient.id if each.extension)
    yield "Date du document", _date(header.effective_time)
    yield "Type", header.code.display_name if header.code else ""
    for author in header.author:
        yield "Auteur", _person(author.assigned_author)
    yield "Responsable", _person(header.legal_authenticator) if header.legal_authenticator else ""
    yield "Conservateur", _organization(header)
    for event in header.service_event:
        acts = event.code.display_name if event.code else ""
        yield "Acte", ", ".join(each for each in (acts, _date(event.low)) if each)
    yield "Version", header.version_number
    yield "Identifiant du document", _identifier(header.id)


def _organization(header: Header) -> str:
    return header.custodian.name if header.custodian else ""


def _identifier(identifier: II | None) -> str:
    return "" if identifier is None else "^".join(each for each in (identifier.root, identifier.extension) if each)


def _patient_name(patient: Patient) -> str:
    return ", ".join(_name(each) for each in patient.name)


def _name(name: PN) -> str:
    family = " ".join(part.text + (" (naissance)" if part.qualifier == "BR" else "") for part in name.family)
    given = " ".join(part.text for part in name.given if not part.qualifier) or " ".join(p.text for p in name.given)
    return " ".join(each for each in (name.prefix, family, given, name.suffix) if each)


def _person(entity: AssignedEntity) -> str:
    name = _name(entity.person) if entity.person else ""
    device = entity.device.software_name if entity.device else ""
    profession = entity.code.display_name if entity.code else ""
    organization = entity.organization.name if entity.organization else ""
    return ", ".join(each for each in (name or device, profession, organization) if each)


def _date(value: str) -> str:
    """HL7 TS as it is read in France: 17/03/2025 15:30."""
    if len(value) < 8 or not value[:8].isdigit():
        return value
    day = f"{value[6:8]}/{value[4:6]}/{value[:4]}"
    return f"{day} {value[8:10]}:{value[10:12]}" if len(value) >= 12 and value[8:12].isdigit() else day


def _body(document: Document) -> str:
    root = document.clinical_document
    unstructured = root.find(f"{_V3}component/{_V3}nonXMLBody/{_V3}text")
    if unstructured is not None:
        return _embedded(unstructured)
    media = _media(root)
    sections = root.iterfind(f"{_V3}component/{_V3}structuredBody/{_V3}component/{_V3}section")
    return "".join(_section(each, media, 2) for each in sections) + _content(document)


def _media(root: Element) -> Mapping[str, Element]:
    return {name: each for each in root.iter(f"{_V3}observationMedia") if (name := each.get("ID"))}


def _section(section: Element, media: Mapping[str, Element], level: int) -> str:
    title = section.find(f"{_V3}title")
    heading = "".join(title.itertext()) if title is not None else attribute(section, "code/@displayName")  # type: ignore[arg-type]
    tag = f"h{min(level, _HEADING_LEVELS)}"
    text = section.find(f"{_V3}text")
    narrative = "" if text is None else narrative_html(text, media.get)
    inner = "".join(_section(each, media, level + 1) for each in section.iterfind(f"{_V3}component/{_V3}section"))
    files = "".join(_attached(each) for each in section.iterfind(f"{_V3}entry//{_V3}observationMedia"))
    return f"<section><{tag}>{escape(heading)}</{tag}><div>{narrative}</div>{files}{inner}</section>"


def _attached(observation_media: Element) -> str:
    """A PDF or image that an entry brings; images that the narrative shows stand there."""
    value = observation_media.find(f"{_V3}value")
    if value is not None and value.get("mediaType") == "application/pdf":
        return _pdf(decoded(value.text or ""))
    return "" if observation_media.get("ID") else image_html(observation_media)


def _content(document: Document) -> str:
    """The coded entries as a table, so that what software reads can be seen."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(each)}</td>" for each in (kind, what, value, _date(when))) + "</tr>"
        for kind, what, value, when in content_rows(read_clinical_content(document))
    )
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{each}</th>' for each in ("Nature", "Libellé", "Valeur", "Date"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<section><h2>Données codées</h2>{table}</section>"


def _embedded(text: Element) -> str:
    """The body of a level 1 document, by what its bytes are, not by what it calls itself."""
    content = decoded(text.text or "") if text.get("representation") == "B64" else (text.text or "").encode()
    media = text.get("mediaType") or ""
    if media == "application/pdf":
        return _pdf(content) or _refused(media)
    if media == "text/plain":
        return f"<pre>{escape(content.decode('utf-8', 'replace'))}</pre>"
    if media == "image/jpeg" and content.startswith(b"\xff\xd8\xff"):
        return f'<img alt="Document numérisé" src="data:{media};base64,{base64.b64encode(content).decode()}">'
    if media in {"text/rtf", "image/tiff"} and content.startswith((b"{\\rtf", b"II*\x00", b"MM\x00*")):
        return _download(content, media, "Le document est un fichier à enregistrer")
    return _refused(media)


def _pdf(content: bytes) -> str:
    if not content.startswith(b"%PDF-"):
        return ""
    source = f"data:application/pdf;base64,{base64.b64encode(content).decode()}"
    link = _download(content, "application/pdf", "Enregistrer le PDF")
    note = '<p class="print">Le document PDF n’est pas sur cette feuille : il s’imprime à part.</p>'
    return f'<object type="application/pdf" data="{source}" aria-label="Document PDF"></object>{link}{note}'


def _download(content: bytes, media: str, label: str) -> str:
    suffix = media.rpartition("/")[2]
    source = f"data:{media};base64,{base64.b64encode(content).decode()}"
    return f'<p class="screen"><a download="document.{suffix}" href="{source}">{label}</a></p>'


def _refused(media: str) -> str:
    return f"<p>Le corps du document ne peut pas être montré ({escape(media or 'type inconnu')}).</p>"
