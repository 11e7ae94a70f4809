"""A data set as files that any server can be fed with; the same seed and instant give the same octets.

`MANIFEST` names every file with its SHA-256 and is written last: a folder without it is not finished.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lxml import etree

from conformance.failures import KitError
from conformance.nist.patient_feed import admission
from conformance.population.bundles import patient_resource, provide_bundle
from conformance.population.chance import Chance
from conformance.population.documents import Document, documents_of
from conformance.population.guide import GUIDE
from conformance.population.people import Patient, Professional, employees, patients, professionals, structures
from conformance.population.pki import Credential, Pki, Use
from conformance.population.submissions import entry_uuid_of, provide_message
from conformance.sentence import Sentence, reason
from conformance.vihf import make_vihf

MANIFEST = "manifest.json"
HOSTS = ("localhost", "127.0.0.1")
_PER_FOLDER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many patients, documents of each, the seed, and the instant everything is dated from (UTC)."""

    patients: int
    documents: int
    seed: int
    now: datetime


Told = Callable[[int], None]


def write_set(size: Size, folder: Path, told: Told = lambda steps: None) -> int:
    """Write it to a new or empty folder; `told` is called with the steps done. Returns the number of documents.

    Raises KitError when the folder holds something, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise KitError(
            Sentence(
                f"{folder} n'est pas vide : donnez un nouveau dossier", f"{folder} is not empty: give a new folder"
            )
        )
    try:
        return _Writer(size, folder, told).write()
    except OSError as problem:
        raise KitError(
            Sentence(
                f"{folder} ne peut pas être écrit : {reason(problem).fr}",
                f"{folder} cannot be written: {reason(problem)}",
            )
        ) from None


def steps(size: Size) -> int:
    """How many steps `write_set` tells: one for each certificate made, and one for each patient."""
    cards = sum(one.has_card for one in (*professionals(size.seed), *employees(size.seed)))
    return 2 * cards + 2 * len(structures(size.seed)) + 1 + size.patients


class _Writer:
    """Writes files and remembers their digests."""

    def __init__(self, size: Size, folder: Path, told: Told) -> None:
        self.size, self.folder, self.told = size, folder, told
        self.digests: dict[str, str] = {}
        self.professionals = professionals(size.seed)
        self.people = (*self.professionals, *employees(size.seed))
        self.pki = Pki(size.seed, size.now)

    def write(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        signers = self._write_pki()
        self._write_vihf(signers)
        authors = tuple(one for one in self.professionals if one.has_card)
        documents = self._write_patients(authors)
        self._keep("README.md", GUIDE.format(seed=self.size.seed, now=f"{self.size.now:%Y-%m-%dT%H:%M:%SZ}").encode())
        for path in sorted((self.folder / "pki").rglob("*")):
            if path.is_file():
                self._remember(str(path.relative_to(self.folder)), path.read_bytes())
        manifest = {
            "seed": self.size.seed,
            "now": f"{self.size.now:%Y-%m-%dT%H:%M:%SZ}",
            "patients": self.size.patients,
            "documents": documents,
            "files": dict(sorted(self.digests.items())),
        }
        (self.folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        return documents

    def _write_pki(self) -> dict[str, Credential]:
        """Certificates of servers, cards and structures; returns who signs for whom: by identifier."""
        folder, signers = self.folder / "pki", {}
        self.pki.write_trust(folder)
        self._issued("server", Use.SERVER, self.pki.server(HOSTS))
        for one in structures(self.size.seed):
            self._issued(
                one.identifier, Use.AUTHENTICATION, self.pki.structure(one.identifier, one.name, Use.AUTHENTICATION)
            )
            signers[one.identifier] = self.pki.structure(one.identifier, one.name, Use.SEAL)
            self._issued(one.identifier, Use.SEAL, signers[one.identifier])
        for person in self.people:
            if person.has_card:
                for use in (Use.AUTHENTICATION, Use.SIGNATURE):
                    made = self.pki.card(person.identifier, person.family, person.given, person.title, use)
                    self._issued(person.holder, use, made)
                    signers[person.identifier] = made
        return signers

    def _issued(self, name: str, use: Use, credential: Credential) -> None:
        self.pki.write(self.folder / "pki", name, use, credential)
        self.told(1)

    def _write_vihf(self, signers: dict[str, Credential]) -> None:
        """A VIHF for each profession, about the first patient, good for the five minutes that follow the instant."""
        table, patient = [], next(patients(self.size.seed, 1, self.size.now.date()))
        for person in self.people:
            signer = signers[person.identifier if person.has_card else person.structure.identifier]
            identifier = f"_{Chance(self.size.seed, 'vihf', person.identifier).uuid()}"
            made = make_vihf(person.claim(patient.cx), signer, identifier=identifier, now=self.size.now)
            kind = "carte" if person.has_card else "structure"
            name = f"vihf/{kind}-{person.name}-{person.holder}.xml"
            self._keep(name, etree.tostring(made))
            table.append(_professional_row(person, name))
        self._keep("professionals.csv", _table(table))

    def _write_patients(self, authors: Sequence[Professional]) -> int:
        people, entries = [], []
        for index, patient in enumerate(patients(self.size.seed, self.size.patients, self.size.now.date())):
            found = list(
                documents_of(self.size.seed, patient, index, tuple(authors), self.size.now, self.size.documents)
            )
            people.append(_patient_row(patient, authors))
            group = f"{index // _PER_FOLDER:04}/{patient.ins}"
            chance = Chance(self.size.seed, "messages", index)
            self._keep(f"fhir/{group}/patient.json", _json(patient_resource(patient)))
            sent = admission(patient.cx, control_id=chance.octets(10).hex(), at=self.size.now)
            self._keep(f"feed/{group}.hl7", sent.encode("utf-8"))
            entries += [self._write_document(group, at, one, chance) for at, one in enumerate(found, 1)]
            self.told(1)
        self._keep("patients.csv", _table(people))
        self._keep("documents.csv", _table(entries))
        return len(entries)

    def _write_document(self, group: str, at: int, document: Document, chance: Chance) -> dict[str, str]:
        name = f"{group}/{at:02}"
        self._keep(f"documents/{name}.xml", document.content)
        content_type, body = provide_message([document], chance)
        self._keep(f"iti41/{name}.mime", body)
        self._keep(f"iti41/{name}.type", content_type.encode("ascii"))
        self._keep(f"fhir/{name}.json", provide_bundle([document], chance))
        return _document_row(name, at, document)

    def _keep(self, name: str, octets: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
        self._remember(name, octets)

    def _remember(self, name: str, octets: bytes) -> None:
        self.digests[name] = hashlib.sha256(octets).hexdigest()


def _professional_row(person: Professional, vihf: str) -> dict[str, str]:
    return {
        "identifier": person.identifier,
        "family": person.family,
        "given": person.given,
        "roles": " ".join(f"{one.code}^^{one.system}" for one in person.roles),
        "title": person.title,
        "structure": person.structure.identifier,
        "structure_name": person.structure.name,
        "mode": person.claim().mode,
        "card": f"pki/issued/{person.holder}-authentication.pem" if person.has_card else "",
        "vihf": vihf,
    }


def _patient_row(patient: Patient, authors: Sequence[Professional]) -> dict[str, str]:
    """The traits, and what the record must be put to before the documents are fed: rights by PS_IdNat."""
    doctor, cardiologist = authors[0].identifier, authors[1].identifier
    nurse = next(one.identifier for one in authors if one.roles[0].code == "60")
    rights = {
        "open": f"{doctor} {nurse}",
        "treating-doctor": doctor,
        "authorisation-expired": doctor,
    }
    return {
        "ins": patient.ins,
        "cx": patient.cx,
        "family": patient.family,
        "given": patient.given,
        "sex": patient.sex,
        "birth_date": f"{patient.birth:%Y%m%d}",
        "birth_place": patient.place[0],
        "local_number": patient.number,
        "former_ins": patient.former,
        "representative": patient.representative,
        "state": patient.state.name,
        "meaning": patient.state.meaning,
        "is_open": str(patient.state.is_open).lower(),
        "authorised": rights.get(patient.state.name, ""),
        "blocked": cardiologist if patient.state.name == "blocked" else "",
        "treating_doctor": doctor if patient.state.name == "treating-doctor" else "",
    }


def _document_row(name: str, at: int, document: Document) -> dict[str, str]:
    status = {"archived-document": "Archived", "deleted-document": "Deleted", "replaced-document": "Deprecated"}
    return {
        "file": f"documents/{name}.xml",
        "ins": document.patient.ins,
        "unique_id": document.unique_id,
        "entry_uuid": entry_uuid_of(document),
        "type": document.type.code,
        "class": document.class_code.code,
        "body": "structured" if document.form.model else document.form.media_type,
        "confidentiality": " ".join(one.code for one in document.confidentiality),
        "author": document.author.identifier,
        "replaces": document.replaces,
        "status_in_the_end": status.get(document.patient.state.name, "Approved") if at == 1 else "Approved",
    }


def _json(resource: dict[str, Any]) -> bytes:
    return (json.dumps(resource, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _table(found: Sequence[dict[str, str]]) -> bytes:
    text = io.StringIO()
    if found:
        writer = csv.DictWriter(text, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    return text.getvalue().encode("utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Seed, instant, sizes and digests of a data set. Raises KitError."""
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise _no_data_set(path, problem) from None
    return found


def read_table(folder: Path, name: str) -> Iterator[dict[str, str]]:
    """The rows of a table of a data set. Raises KitError."""
    path = folder / name
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except OSError as problem:
        raise _no_data_set(path, problem) from None


def _no_data_set(path: Path, problem: Exception) -> KitError:
    why = reason(problem)
    fr = f"{path} : {why.fr} ; attendu un jeu de données de `python -m conformance data`"
    return KitError(Sentence(fr, f"{path}: {why}; expected a data set made by `python -m conformance data`"))
