"""Reading FHIR elements as attributes of XDS, with every finding on the way. MHD 3:4.2.3."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fhir_facade.code_systems import URI_SYSTEM, from_identifier, from_uri
from fhir_facade.issues import Issue
from fhir_facade.times import from_date_time
from xds.affinity_domain import AffinityDomain
from xds.datatypes import DTM, Code
from xds.identifiers import OID_PREFIX, UUID_PREFIX, is_uuid_urn

Resource = Mapping[str, Any]
MHD = "profiles.ihe.net/ITI/MHD/StructureDefinition/"
_IDENTIFIER_TYPES = ("entryUUID", "uniqueId")
_BY_USE = {"official": "entryUUID", "usual": "uniqueId"}


def _nowhere(_reference: str) -> Resource | None:
    return None


@dataclass(slots=True, kw_only=True)
class Reader:
    """One resource that stands `at` a FHIRPath; `elsewhere` gives what a reference outside of it leads to."""

    resource: Resource
    at: str
    domain: AffinityDomain
    elsewhere: Callable[[str], Resource | None] = _nowhere
    issues: list[Issue] = field(default_factory=list)

    def find(self, reference: Resource) -> Resource | None:
        """The resource a Reference leads to: a contained one, or one of the same Bundle. R5 of MHD validation."""
        text = reference.get("reference", "")
        if not text.startswith("#"):
            return self.elsewhere(text) if text else None
        contained = self.resource.get("contained", ())
        return next((one for one in contained if one.get("id") == text[1:]), None)

    def refuse(self, code: str, text: str, path: str) -> None:
        self.issues.append(Issue(code, text, f"{self.at}.{path}"))

    def code(self, concept: Resource | None, attribute: str, path: str) -> Code | None:
        """XDS takes one coding: the first that the domain knows, else the first with system and code."""
        codings = (concept or {}).get("coding", ())
        found = [self._code(one, concept or {}) for one in codings if one.get("system") and one.get("code")]
        if concept is not None and codings and not found:
            self.refuse("code-invalid", "found no coding with system and code", path)
        table = self.domain.code_tables.get(attribute, frozenset())
        return next((one for one in found if (one.code, one.coding_scheme) in table), next(iter(found), None))

    def codes(self, concepts: Sequence[Resource], attribute: str, path: str) -> tuple[Code, ...]:
        found = (self.code(one, attribute, f"{path}[{number}]") for number, one in enumerate(concepts))
        return tuple(one for one in found if one is not None)

    def _code(self, coding: Resource, concept: Resource) -> Code:
        display = coding.get("display") or concept.get("text") or coding["code"]
        return Code(code=coding["code"], coding_scheme=from_uri(coding["system"]), display_name=display)

    def time(self, text: str | None, path: str) -> DTM | None:
        return None if text is None else self.parsed(from_date_time, text, path)

    def parsed(self, parse: Callable[[str], Any], text: str | None, path: str) -> Any:
        """A value by the rule of its attribute; one that breaks it is a finding and left out."""
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as problem:
            self.refuse("value", f"{problem}", path)
            return None

    def extensions(self, name: str) -> Iterator[tuple[int, Resource]]:
        """Extensions of MHD by the last step of their canonical; `http:` and `https:` are the same."""
        yield from extensions(self.resource, name)

    @property
    def logical_id(self) -> str | None:
        """logicalID of a resource that is rendered here. PDSm4DMP"""
        uuid = f"{UUID_PREFIX}{self.resource.get('id', '')}"
        return uuid if is_uuid_urn(uuid) else None

    @property
    def version(self) -> int | None:
        text = str(self.resource.get("meta", {}).get("versionId", ""))
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def home_community_id(self) -> str | None:
        found = next((one.get("valueOid") for _, one in self.extensions("ihe-HomeCommunityId")), None)
        return None if found is None else str(found)

    def identifiers(self, kind: str) -> Iterator[str]:
        """The values of `Resource.identifier` that are entryUUIDs, or uniqueIds, in the form of XDS."""
        for identifier in self.resource.get("identifier", ()):
            if identifier.get("value") and identifier_kind(identifier) == kind:
                yield from_identifier(identifier.get("system", ""), identifier["value"])


def extensions(element: Resource, name: str) -> Iterator[tuple[int, Resource]]:
    """(position, extension) of the MHD extensions of an element with this name."""
    for number, extension in enumerate(element.get("extension", ())):
        if extension.get("url", "").partition("://")[2] == f"{MHD}{name}":
            yield number, extension


def identifier_kind(identifier: Resource) -> str:
    """`entryUUID` or `uniqueId`: by type, else by use, else by the form of the value. MHD 4.2.4 and earlier"""
    for coding in identifier.get("type", {}).get("coding", ()):
        if coding.get("code") in _IDENTIFIER_TYPES:
            return str(coding["code"])
    if identifier.get("use") in _BY_USE:
        return _BY_USE[identifier["use"]]
    if identifier.get("system") == URI_SYSTEM and identifier.get("value", "").startswith((UUID_PREFIX, OID_PREFIX)):
        return "entryUUID" if identifier["value"].startswith(UUID_PREFIX) else "uniqueId"
    return ""
