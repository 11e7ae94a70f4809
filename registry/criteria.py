"""What is looked for: the one question that ITI-18 and the FHIR searches both become."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from xds.metadata import DocumentEntry, RegistryObject
from xds.vocabulary import AssociationType, AvailabilityStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CodePattern:
    """A code to match; `coding_scheme` None means any scheme, `code` None any code of the scheme."""

    code: str | None
    coding_scheme: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCriterion:
    """At least one of the codes stands in the attribute (field name of `xds.metadata`)."""

    attribute: str
    any_of: tuple[CodePattern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeCriterion:
    """`start` <= time < `stop`, 14 digits each, None for an open end. ITI TF-2: 3.18.4.1.2.3.3

    `attribute` is the field name of `xds.metadata`, or `last_updated`. An object without the time passes, unless
    `is_required`. `is_outside`: the time is before `start` or not before `stop`, which are both given.
    """

    attribute: str
    start: str | None = None
    stop: str | None = None
    is_required: bool = False
    is_outside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceCriterion:
    """At least one of the attributes (field names of `xds.metadata`) has a value, or with `is_missing` none has."""

    attributes: tuple[str, ...]
    is_missing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeCriterion:
    """At least one value of the attribute matches one of the patterns: `%` any string, `_` one character."""

    attribute: str
    any_of: tuple[str, ...]


class TextMatch(Enum):
    """Where a text stands in a component, and whether case counts (that of ASCII letters alone, on SQLite)."""

    START = "at its beginning, in any case"
    WITHIN = "anywhere, in any case"
    WHOLE = "alone, in this case"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCriterion:
    """A value of the attribute starts with one of the texts as it stands; or one of its HL7 v2 `components`, where
    these are given, matches one. FHIR R4 3.1.1.4.8
    """

    attribute: str
    any_of: tuple[str, ...]
    components: tuple[int, ...] = ()
    match: TextMatch = TextMatch.START


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorCriterion(TextCriterion):
    """An author who is of one of these FHIR types has one of the texts in the `attribute`: family, given or name; or
    one of the identifiers, `system|value` or a value of any system.
    """

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """All given conditions hold; an empty tuple or None asks nothing.

    `patient` and `patients` are keys of a CX (`xds.datatypes.CX.key`); `across_patients` asks about
    every patient at once, and nothing else does: criteria that name neither a patient nor an id find
    nothing. `sources`, `targets` and `touching` take associations by the entryUUIDs at their ends.
    An object of which a whole group of `excluded` holds is left out. The last six say what is shown
    at all: documents by objectType and availability, Deprecated objects, versions that are not the
    newest.
    """

    kind: type[RegistryObject] = DocumentEntry
    patient: str | None = None
    patients: tuple[str, ...] = ()
    across_patients: bool = False
    statuses: tuple[AvailabilityStatus, ...] = ()
    entry_uuids: tuple[str, ...] = ()
    logical_ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    association_types: tuple[AssociationType, ...] = ()
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    touching: tuple[str, ...] = ()
    codes: tuple[CodeCriterion, ...] = ()
    times: tuple[TimeCriterion, ...] = ()
    likes: tuple[LikeCriterion, ...] = ()
    texts: tuple[TextCriterion, ...] = ()
    present: tuple[PresenceCriterion, ...] = ()
    excluded: tuple[tuple[CodeCriterion | LikeCriterion | TimeCriterion, ...], ...] = ()
    stable: bool = True
    on_demand: bool = False
    online: bool = True
    offline: bool = True
    deprecated: bool = True
    all_versions: bool = False


class Form(Enum):
    """The rendering a finder wants back."""

    EBRIM = "ebrim"
    FHIR = "fhir"
    REFERENCE = "reference"


class Order(Enum):
    """Order of the objects found; both are total, so pages do not overlap."""

    REGISTERED = "oldest registration first"
    NEWEST = "newest registration first"


@dataclass(frozen=True, slots=True, kw_only=True)
class SortKey:
    """A value to sort by: a time or id of the object, by its field name; objects without it come first, ascending."""

    attribute: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """At most `size` objects behind the object with the key `after`; without a size, all of them.

    `sort` comes before the order; `after` then has the values of that object in `behind`.
    """

    size: int | None = None
    after: int | None = None
    order: Order = Order.REGISTERED
    sort: tuple[SortKey, ...] = ()
    behind: tuple[str, ...] = ()


ALL = Page()


class Found(NamedTuple):
    """One object found: its keys, the entryUUIDs at the ends of an association, and a rendering if one was wanted."""

    patient_key: int
    object_key: int
    entry_uuid: str
    logical_id: str = ""
    unique_id: str | None = None
    source: str | None = None
    target: str | None = None
    rendering: bytes = b""


class Frame(NamedTuple):
    """What stands around each rendering: before the UUID of its logicalID, between that and the rendering, behind."""

    before: str
    between: str
    behind: str


class Joined(NamedTuple):
    """The first page of what was found: how many objects, how many there are in all, the key of the last, the octets.

    The renderings stand in their frames, commas between them, newest registration first.
    """

    shown: int
    total: int
    last: int
    octets: bytes
