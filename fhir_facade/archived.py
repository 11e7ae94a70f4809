"""Archived, which XDS in the DMP has as a status and DocumentReference as an extension beside `current`. PDSm 3."""

from collections.abc import Iterable, Mapping
from typing import Any

IS_ARCHIVED = "https://interop.esante.gouv.fr/ig/fhir/pdsm/StructureDefinition/pdsm-ext-is-archived"
Extension = Mapping[str, Any]


def archived(*, value: bool) -> Extension:
    return {"url": IS_ARCHIVED, "valueBoolean": value}


def archived_values(extensions: Iterable[Extension]) -> list[Any]:
    """What the extensions say; one at most where PDSm is kept to."""
    return [one.get("valueBoolean") for one in extensions if one.get("url") == IS_ARCHIVED]


def other_extensions(extensions: Iterable[Extension]) -> list[Extension]:
    return [one for one in extensions if one.get("url") != IS_ARCHIVED]


def is_archived(resource: Mapping[str, Any]) -> bool:
    """An absent extension is false."""
    return True in archived_values(resource.get("extension", ()))
