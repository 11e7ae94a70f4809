"""What the rules of an update need to know of the registry, read by it beforehand. XDS Metadata Update 3.57.4.1.3."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.metadata import Association, RegistryObject
from xds.submission_rules import StoredObject
from xds.vocabulary import AvailabilityStatus

APPROVED = AvailabilityStatus.APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An object the registry holds, whole. `key` is how the registry finds its row again."""

    thing: RegistryObject
    is_current: bool = True
    key: tuple[int, int] = (0, 0)

    @property
    def status(self) -> AvailabilityStatus:
        return self.thing.availability_status or APPROVED

    @property
    def is_approved(self) -> bool:
        return self.status is APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFacts:
    """The registry's state as far as one update touches it.

    `newest` by logical id; `objects` by entryUUID; `links` the Approved associations between objects that
    a submitted association names; `patients` the keys of the known patients among those named.
    """

    patients: frozenset[str] = frozenset()
    newest: Mapping[str, Held] = field(default_factory=dict)
    objects: Mapping[str, Held] = field(default_factory=dict)
    by_unique_id: Mapping[str, tuple[StoredObject, ...]] = field(default_factory=dict)
    links: tuple[Association, ...] = ()
