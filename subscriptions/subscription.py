"""A subscription as a value: whose documents, which changes, where to. ITI TF-2: 3.52; DSUBm 2:3.111."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from xds.datatypes import Code
from xds.metadata import Association, DocumentEntry, RegistryObject
from xds.vocabulary import REPLACEMENTS

_RESTRICTIONS = "1.2.250.1.213.1.1.4.13"


class Event(StrEnum):
    """What happened to a document. A replacement and a masking name the document that there is now."""

    NEW = "new"
    REPLACED = "replaced"
    MASKED = "masked"
    UPDATED = "updated"
    HANDSHAKE = "handshake"


CHANGES = (Event.NEW, Event.REPLACED, Event.MASKED, Event.UPDATED)


class Channel(StrEnum):
    """How it is told."""

    FHIR = "fhir"
    DSUB = "dsub"


class Content(StrEnum):
    """How much of a document a notification holds; of DSUB the topics MinimalDocumentEntry and FullDocumentEntry."""

    EMPTY = "empty"
    REFERENCE = "id-only"
    FULL = "full-resource"


class State(StrEnum):
    """REQUESTED until its target has answered once."""

    REQUESTED = "requested"
    ACTIVE = "active"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFilter:
    """At least one of the codes stands in the attribute (field name of DocumentEntry), without scheme in any."""

    attribute: str
    any_of: tuple[Code, ...]

    def fits(self, entry: DocumentEntry) -> bool:
        found = getattr(entry, self.attribute)
        held = found if isinstance(found, tuple) else (found,) if found is not None else ()
        return any(
            one.code == wanted.code and wanted.coding_scheme in ("", None, one.coding_scheme)
            for one in held
            for wanted in self.any_of
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`patient`: CX key, empty for every patient. `ends`, `created`: DTM of 14 digits, UTC. `caller`: who subscribed.

    `criteria` and `tag` are the sender's own words, given back as they came.
    """

    id: str
    patient: str
    channel: Channel
    target: str
    content: Content
    created: str
    ends: str
    caller: str = field(repr=False)
    subscriber: str
    state: State = State.REQUESTED
    events: tuple[Event, ...] = CHANGES
    filters: tuple[CodeFilter, ...] = ()
    criteria: str = ""
    media_type: str = "application/fhir+json"

    def wants(self, event: Event, entry: DocumentEntry) -> bool:
        """Whether a change of this document fits. ITI TF-2: 3.52.5.2"""
        return event in self.events and all(one.fits(entry) for one in self.filters)


def changes_of(things: Sequence[RegistryObject]) -> Iterator[tuple[Event, DocumentEntry]]:
    """What the objects that were added mean for documents. A signature of a lot is no document of its own."""
    replacing = {one.source for one in things if isinstance(one, Association) and one.association_type in REPLACEMENTS}
    for one in things:
        if isinstance(one, DocumentEntry):
            yield _event_of(one, is_replacing=one.entry_uuid in replacing), one


def _event_of(entry: DocumentEntry, *, is_replacing: bool) -> Event:
    if (entry.version or 1) == 1:
        return Event.REPLACED if is_replacing else Event.NEW
    is_masked = any(one.coding_scheme == _RESTRICTIONS for one in entry.confidentiality_code)
    return Event.MASKED if is_masked else Event.UPDATED
