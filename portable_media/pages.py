"""README.TXT and INDEX.HTM: what a person finds who opens the medium without any program. ITI TF-2: 3.32.4.1.2.

French first, English after it. INDEX.HTM is XHTML Basic; README.TXT keeps to ASCII.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from portable_media import layout
from portable_media.record import Record
from xds.metadata import DocumentEntry

_DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML Basic 1.1//EN" "http://www.w3.org/TR/xhtml-basic/xhtml-basic11.dtd">'
)
_README = """\
COPIE DE DOSSIER MEDICAL PARTAGE - COPY OF A SHARED MEDICAL RECORD

Institution     : {institution}
Logiciel/Product: Carnet {version}, https://profiles.ihe.net/ITI/XDM (IHE XDM)
Date            : {date} UTC
Documents       : {documents}

Ouvrez INDEX.HTM avec un navigateur pour lire les documents.
Open INDEX.HTM with a browser to read the documents.

Contenu - Contents:
  README.TXT             ce fichier - this file
  INDEX.HTM              liste des documents - list of the documents
  IHE_XDM/               un dossier par lot - one folder per submission
  IHE_XDM/*/METADATA.XML les metadonnees IHE XDS du lot - its IHE XDS metadata
  IHE_XDM/*/DOC*         les documents, inchanges - the documents, unchanged{versions}
{left_out}
Ce support contient des donnees de sante. Conservez-le avec soin, ne le
confiez qu'a qui doit les connaitre. L'etablissement ne repond pas de ce
qui en est change apres sa creation : l'empreinte SHA-1 de chaque document
est dans METADATA.XML.
This medium holds health data. Keep it safe and show it only to those who
need to know. The institution does not answer for what is changed after it
was made: the SHA-1 of every document is in METADATA.XML.
"""

_VERSIONS = """\
  CARNET/VERSIONS.XML    toutes les versions des metadonnees mises a jour,
                         comme une reponse de registre XDS
                         every version of updated metadata, as an answer of
                         an XDS registry"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What the pages say of the medium as a whole; `date` is DTM of 14 digits, UTC."""

    institution: str
    version: str
    date: str


def readme(cover: Cover, record: Record, *, documents: int) -> bytes:
    """README.TXT, lines ended as every system shows them."""
    reasons = [f"  {one.unique_id}: {one.reason}" for one in record.left_out]
    reasons += [f"  {one.source} {one.association_type} {one.target}: {one.reason}" for one in record.lost_links]
    absent = ["", "Absents - Left out:", *reasons, ""] if reasons else [""]
    text = _README.format(
        institution=cover.institution,
        version=cover.version,
        date=_shown(cover.date),
        documents=documents,
        versions=f"\n{_VERSIONS}" if record.history.versions else "",
        left_out="\n".join(absent),
    )
    return _ascii(text).replace("\n", "\r\n").encode("ascii")


def index(cover: Cover, places: Mapping[str, DocumentEntry]) -> bytes:
    """INDEX.HTM: every document by its place on the medium, with a link to it."""
    rows = "".join(_row(place, entry) for place, entry in places.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{_DOCTYPE}\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr"><head>'
        '<meta http-equiv="Content-Type" content="text/html; charset=UTF-8"/>'
        "<title>Copie de dossier médical</title></head><body>"
        '<h1>Copie de dossier médical <span xml:lang="en">/ Copy of a medical record</span></h1>'
        f"<p>{_text(cover.institution)}, {_shown(cover.date)} UTC. Carnet {_text(cover.version)}.</p>"
        f"{_patient(places.values())}"
        f'<p><a href="{layout.README}">{layout.README}</a></p>'
        "<table><tr><th>Document</th><th>Type</th><th>Date</th><th>Auteur / Author</th><th>État / Status</th></tr>"
        f"{rows}</table></body></html>\n"
    ).encode()


def _patient(entries: Iterable[DocumentEntry]) -> str:
    """Identifier, name, date of birth and sex, as the newest document that says them gives them."""
    known = [entry for entry in entries if entry.patient_id is not None]
    if not known:
        return ""
    newest = max(known, key=lambda entry: (bool(entry.source_patient_info), str(entry.creation_time or "")))
    shown = [newest.patient_id.id if newest.patient_id else "", *_identity(newest.source_patient_info)]
    return f"<p><strong>Patient</strong>: {_text(', '.join(part for part in shown if part))}</p>"


def _identity(fields: Iterable[str]) -> Iterator[str]:
    """PID-5 name, PID-7 date of birth, PID-8 sex. ITI TF-3: 4.2.3.2.23"""
    values = dict(field.partition("|")[::2] for field in fields)
    yield " ".join(part for part in values.get("PID-5", "").split("^")[:2] if part)
    yield _shown(values.get("PID-7", ""))
    yield values.get("PID-8", "")


def _row(place: str, entry: DocumentEntry) -> str:
    author = entry.author[0].author_person if entry.author else None
    person = "" if author is None else " ".join(part for part in str(author).split("^")[1:3] if part)
    cells = (
        entry.type_code.display_name if entry.type_code else "",
        _shown(str(entry.creation_time or "")),
        person,
        str(entry.availability_status or "").rpartition(":")[2],
    )
    link = f"<a href={quoteattr(place)}>{_text(entry.title or place.rpartition('/')[2])}</a>"
    return f"<tr><td>{link}</td>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"


def _text(text: str) -> str:
    return escape(text)


def _shown(moment: str) -> str:
    """A DTM as a person reads it, to the minute."""
    day = "-".join(part for part in (moment[:4], moment[4:6], moment[6:8]) if part)
    return f"{day} {moment[8:10]}:{moment[10:12]}" if len(moment) >= 12 else day


def _ascii(text: str) -> str:
    """Letters without their accents; what has no ASCII form becomes a question mark."""
    decomposed = unicodedata.normalize("NFKD", text)
    kept = "".join(char for char in decomposed if not unicodedata.combining(char))
    return "".join(char if char == "\n" or " " <= char <= "~" else "?" for char in kept)
