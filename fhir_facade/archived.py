"""Archived, which XDS in the DMP has as a status and DocumentReference as an extension beside `current`. PDSm 3."""

from collections.abc import Iterable, Mapping
from typing import Any

from xds.vocabulary import AvailabilityStatus

IS_ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
Extension = Mapping[str, Any]


def archived(*, value: bool) -> Extension:
    return {"url": IS_ARCHIVED, "valueBoolean": value}


def archived_only(status: AvailabilityStatus | None) -> list[Extension]:
    """The extension of what is archived; other objects need none."""
    return [archived(value=True)] if status is AvailabilityStatus.ARCHIVED else []


def status_of(resource: Mapping[str, Any], statuses: Mapping[str, AvailabilityStatus]) -> AvailabilityStatus | None:
    """What the status element and the extension say together."""
    found = statuses.get(resource.get("status", ""))
    is_approved = found is AvailabilityStatus.APPROVED
    return AvailabilityStatus.ARCHIVED if is_approved and is_archived(resource) else found


def archived_values(extensions: Iterable[Extension]) -> list[Any]:
    """What the extensions say; one at most where PDSm is kept to."""
    return [one.get("valueBoolean") for one in extensions if one.get("url") == IS_ARCHIVED]


def other_extensions(extensions: Iterable[Extension]) -> list[Extension]:
    return [one for one in extensions if one.get("url") != IS_ARCHIVED]


def is_archived(resource: Mapping[str, Any]) -> bool:
    """An absent extension is false."""
    return True in archived_values(resource.get("extension", ()))
