"""What the rules need to know of the registry, read by it beforehand. ITI TF-2: 3.42.4.1.3."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.metadata import RegistryObject
from xds.vocabulary import AvailabilityStatus, ObjectType


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What the rules need to know of an object the registry holds."""

    entry_uuid: str
    kind: type[RegistryObject]
    status: AvailabilityStatus
    is_current: bool
    patient: str
    logical_id: str = ""
    object_type: ObjectType | None = None
    hash: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """The registry's state as far as one submission touches it.

    `objects` by entryUUID; `by_unique_id` the stored objects that carry a uniqueId of the submission.
    """

    patient_is_known: bool
    objects: Mapping[str, StoredObject] = field(default_factory=dict)
    by_unique_id: Mapping[str, tuple[StoredObject, ...]] = field(default_factory=dict)
