"""The three ways to say what changes in a resource, by the type of the body. FHIR R4 3.1.0.6."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fhir_facade.archived import IS_ARCHIVED
from fhir_facade.fhir_json import read_json, read_json_value
from fhir_facade.fhir_xml import read_xml
from fhir_facade.fhirpath_patch import fhirpath_patched, read_fhirpath_patch
from fhir_facade.json_patch import check_operations, json_patched
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.xml_patch import read_xml_patch, xml_patched

Resource = Mapping[str, Any]
Patch = Callable[[Resource], dict[str, Any]]
# `/extension[url:'…archived']/valueBoolean`, which the guide has and RFC 6901 has not. PDSm T03
_BY_URL = re.compile(r"\A/extension\[[^\]]*rchived[^\]]*\]")


def read_patch(media_type: str, octets: bytes) -> Patch:
    """What a body does to a resource. Raises FhirProblem 400 for what is no patch, 415 for another type."""
    read = _FORMATS.get(media_type)
    if read is None:
        raise FhirProblem(415, "not-supported", f"expected a body of type {', '.join(_TOLD)}")
    return read(octets)


def _json(octets: bytes) -> Patch:
    operations = check_operations(read_json_value(octets))
    return lambda resource: _object(json_patched(resource, [_by_index(one, resource) for one in operations]))


def _by_index(operation: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    urls = [one.get("url") for one in resource.get("extension", ())]
    if IS_ARCHIVED not in urls:
        return dict(operation)
    return {**operation, "path": _BY_URL.sub(f"/extension/{urls.index(IS_ARCHIVED)}", operation["path"])}


def _object(patched: Any) -> dict[str, Any]:
    if not isinstance(patched, dict):
        raise FhirProblem(422, "processing", "found no resource after the patch")
    return patched


def _xml(octets: bytes) -> Patch:
    patch = read_xml_patch(octets)
    return lambda resource: xml_patched(resource, patch)


def _fhirpath(read: Callable[[bytes], Resource], octets: bytes) -> Patch:
    operations = read_fhirpath_patch(read(octets))
    return lambda resource: fhirpath_patched(resource, operations)


_TOLD = ("application/json-patch+json", "application/xml-patch+xml", "application/fhir+json", "application/fhir+xml")
_FORMATS: Mapping[str, Callable[[bytes], Patch]] = {
    "application/json-patch+json": _json,
    "application/xml-patch+xml": _xml,
    **dict.fromkeys(("application/fhir+json", "application/json"), partial(_fhirpath, read_json)),
    **dict.fromkeys(("application/fhir+xml", "application/xml"), partial(_fhirpath, read_xml)),
}
