"""Probes of a FHIR server: what it says of itself, and answers to garbage and to what is not there. FHIR R4 3.1.0"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from conformance.population.bundles import provide_bundle
from conformance.population.chance import Chance
from conformance.population.people import TEST_NIR
from conformance.sentence import Sentence
from conformance.server.exchange import Reply
from conformance.server.probe import Failures, NotTestable, Probe, expected
from conformance.server.target import Target

_JSON = "application/fhir+json"


def _sent(target: Target, method: str, path: str, body: bytes = b"", *, transaction: str = "") -> Reply:
    mhd = target.configuration.mhd
    if mhd is None:
        raise NotTestable(
            "le serveur n'annonce pas MHD : il n'y a pas de section [mhd]",
            "the server does not claim MHD: there is no section [mhd]",
        )
    headers = {"Accept": _JSON, **mhd.headers} | ({"Content-Type": _JSON} if body else {})
    url = path if "://" in path else f"{mhd.base.rstrip('/')}/{path}".rstrip("/")
    return target.wire.send(method, url, body, headers, transaction=transaction)


def _resource(reply: Reply) -> Mapping[str, Any]:
    try:
        found = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _metadata(target: Target) -> Failures:
    reply = _sent(target, "GET", "metadata")
    statement = _resource(reply)
    if reply.status != 200 or statement.get("resourceType") != "CapabilityStatement":
        yield expected(f"{reply} {statement.get('resourceType', '')}", "CapabilityStatement")
        return
    if not str(statement.get("fhirVersion", "")).startswith("4."):
        yield expected(statement.get("fhirVersion", ""), "4.0.1", about=("fhirVersion", "fhirVersion"))
    if not statement.get("rest"):
        yield Sentence("elle n'annonce aucune interaction : rest est vide", "it declares no interaction: rest is empty")


def _outcome(reply: Reply, *statuses: int) -> Failures:
    if reply.status not in statuses:
        yield expected(reply, f"HTTP {' / '.join(map(str, statuses))}")
    if _resource(reply).get("resourceType") != "OperationOutcome":
        yield expected(_resource(reply).get("resourceType", ""), "OperationOutcome")


def _garbage(target: Target) -> Failures:
    yield from _outcome(_sent(target, "POST", "", b'{"resourceType": "Bundle", "type":', transaction="ITI-65"), 400)


def _unknown(target: Target) -> Failures:
    yield from _outcome(_sent(target, "GET", f"DocumentReference/{uuid.uuid4()}", transaction="ITI-67"), 404)


def _find_and_read(target: Target) -> Failures:
    """A document of the data set is submitted, found by its patient, and read from the address it is said to have."""
    if target.configuration.dmp is None:
        raise NotTestable(
            "il faut un patient connu : aucun jeu de données dans une section [dmp]",
            "a known patient is needed: there is no data set in a section [dmp]",
        )
    document = target.new_document(target.patient())
    made = provide_bundle([document], Chance(0, "probe", uuid.uuid4()))
    sent = _sent(target, "POST", "", made, transaction="ITI-65")
    if sent.status != 200:
        yield expected(sent, "HTTP 200", about=("le lot", "the Bundle"))
        return
    query = f"DocumentReference?patient.identifier=urn:oid:{TEST_NIR}%7C{document.patient.ins}&status=current"
    found = _resource(_sent(target, "GET", query, transaction="ITI-67"))
    entries = [one["resource"] for one in found.get("entry", ()) if document.unique_id in json.dumps(one)]
    if not entries:
        yield Sentence("le document ne se trouve pas par son patient", "the document is not found by its patient")
        return
    read = _sent(target, "GET", entries[0]["content"][0]["attachment"]["url"], transaction="ITI-68")
    if document.content != read.body and _resource(read).get("resourceType") != "Binary":
        yield Sentence(
            f"le document ne se lit pas à son adresse : {read}", f"the document cannot be read from its address: {read}"
        )


PROBES = tuple(
    Probe(name=f"mhd.{name}", title_fr=french, title_en=english, failures=body)
    for name, french, english, body in (
        ("metadata", "déclaration des capacités", "the CapabilityStatement", _metadata),
        ("garbage", "lot coupé avant sa fin", "a Bundle cut before its end", _garbage),
        ("unknown-resource", "ressource inconnue", "an unknown resource", _unknown),
        ("find-and-read", "dépôt, recherche, lecture", "submitted, found, read", _find_and_read),
    )
)
