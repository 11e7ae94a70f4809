"""Whom a reference to a patient means: a resource of this server, an identifier, or an entry of the same Bundle."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from access_policy.caller import Caller
from access_policy.visibility import NOTHING, Visibility, claimed
from fhir_facade.read_people import authority_of, read_cx
from fhir_facade.search_values import unescape
from registry import patient_resources
from registry.sql.patient_resources import PatientRow
from registry.store import Registry
from xds.affinity_domain import AffinityDomain
from xds.datatypes import CX
from xds.identifiers import OID_PREFIX, is_oid

OWN_SYSTEM = "urn:carnet:patients"  # identifiers that this server gives
_READ = re.compile(r"Patient/([1-9]\d{0,18})(/_history/[^/?#]+)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patients:
    """The patients of a registry as one caller may know them; `base_url` is that of the FHIR door."""

    registry: Registry
    caller: Caller
    base_url: str

    def read(self, reference: str) -> PatientRow | None:
        """`Patient/1`, with the base of this server before it or a version behind it."""
        match = _READ.match(reference.removeprefix(f"{self.base_url}/"))
        found = None if match is None else patient_resources.by_key(self.registry, int(match[1]))
        return found if found is not None and self._may_know(found) else None

    def identified(self, system: str, value: str) -> list[PatientRow]:
        """Those with this identifier; an empty system is any."""
        found = patient_resources.by_identifier(
            self.registry, authority=authority_of(system), system=system, value=value
        )
        found = list({one.key: one for one in map(self._person, found)}.values())
        return [one for one in found if self._may_know(one) and one.merged_into is None]

    def of_system(self, system: str, *, most: int) -> list[PatientRow]:
        """Those with any identifier of this system, at most so many: among all of them for who may know every patient,
        else whom the caller's proof is about, or nobody.
        """
        seen = self._seen
        if seen.shows_nothing:
            return []
        only = None if seen.everything else CX(seen.patient)
        authority = authority_of(system)
        return patient_resources.of_system(self.registry, authority=authority, system=system, only=only, most=most)

    def subject(self, reference: Mapping[str, Any]) -> CX | None:
        """The patient identifier a subject means; None where it leads to no patient of this server.

        A logical reference names the identifier itself, which the registry then knows or refuses.
        """
        text = reference.get("reference", "").removeprefix(f"{self.base_url}/")
        if text.startswith("Patient?"):
            return self._conditional(dict(parse_qsl(text.partition("?")[2])))
        found = self.read(text) if text else None
        if found is not None:
            return found.patient_id
        identifier = reference.get("identifier", {})
        return self.of_identifier(identifier.get("system", ""), identifier.get("value", ""))

    def asked_for(self, parameter: str) -> CX | None:
        """The patient that a reference parameter of a search means: id, Patient/id or URL. None for nobody."""
        text = unescape(parameter)
        return self.subject({"reference": text if "/" in text else f"Patient/{text}"})

    def of_identifier(self, system: str, value: str) -> CX | None:
        """The patient identifier of the domain that an identifier is, or stands beside.

        Where no patient is fed by FHIR, an identifier with an OID is what the registry knows, and nothing is looked up.
        """
        if is_oid(authority_of(system)) and system.startswith(OID_PREFIX) and not self.registry.domain.patients_by_fhir:
            return read_cx({"system": system, "value": value})
        found = self.identified(system, value) if value else []
        if len(found) == 1:
            return found[0].patient_id
        return read_cx({"system": system, "value": value}) if system and not found else None

    def _conditional(self, query: Mapping[str, str]) -> CX | None:
        """`Patient?identifier=system|value`. FHIR R4 3.1.0.11.3"""
        system, bar, value = query.get("identifier", "").partition("|")
        return self.of_identifier(system, value) if bar and len(query) == 1 else None

    def _person(self, patient: PatientRow) -> PatientRow:
        """Where no patient is fed by FHIR, records are of persons: a former identifier is that of who subsumed it."""
        is_fed = self.registry.domain.patients_by_fhir
        return patient if is_fed else patient_resources.present(self.registry, patient)

    def _may_know(self, patient: PatientRow) -> bool:
        """Whether the caller's proof is about the patient, or who that is now."""
        seen = self._seen
        return seen.admits(patient.patient_id.key) or seen.admits(self._person(patient).patient_id.key)

    @property
    def _seen(self) -> Visibility:
        """Where records say who sees them, a proof that names nobody opens none of them."""
        seen, policy = claimed(self.caller), self.registry.policy
        return NOTHING if seen.everything and policy.judges(self.caller) else seen


def domain_identifier(resource: Mapping[str, Any], domain: AffinityDomain) -> CX | None:
    """The identifier by which the registry knows a Patient: the first that the domain takes."""
    found = (read_cx(one) for one in resource.get("identifier", ()))
    return next((one for one in found if one is not None and not domain.patient_id_problem(one)), None)


def given_identifier(resource: Mapping[str, Any], domain: AffinityDomain) -> CX | None:
    """The identifier of a Patient that is made known: its own, or a new one of this server where it has none at all.

    None in a domain that takes no identifiers of this server.
    """
    if any(one.get("value") for one in resource.get("identifier", ())):
        return domain_identifier(resource, domain)
    made = CX.of(id=uuid.uuid4().hex, authority=authority_of(OWN_SYSTEM))
    return None if domain.patient_id_problem(made) else made


def aliases(resource: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(system, value) of every identifier of a Patient."""
    given = ((one.get("system", ""), one.get("value", "")) for one in resource.get("identifier", ()))
    return tuple((system, value) for system, value in given if value)
