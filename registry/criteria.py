"""What is looked for: the one question that ITI-18 and the FHIR searches both become."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from xds.metadata import DocumentEntry, RegistryObject
from xds.vocabulary import AvailabilityStatus


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

    An object without the time passes.
    """

    attribute: str
    start: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LikeCriterion:
    """At least one value of the attribute matches one of the patterns: `%` any string, `_` one character."""

    attribute: str
    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """All given conditions hold; an empty tuple or None asks nothing.

    `patient` is the key of a CX (`xds.datatypes.CX.key`). `touching` takes associations with an end
    among these entryUUIDs. `all_versions` is MetadataLevel 2.
    """

    kind: type[RegistryObject] = DocumentEntry
    patient: str | None = None
    statuses: tuple[AvailabilityStatus, ...] = ()
    entry_uuids: tuple[str, ...] = ()
    logical_ids: tuple[str, ...] = ()
    unique_ids: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    touching: tuple[str, ...] = ()
    codes: tuple[CodeCriterion, ...] = ()
    times: tuple[TimeCriterion, ...] = ()
    likes: tuple[LikeCriterion, ...] = ()
    stable: bool = True
    on_demand: bool = False
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
class Page:
    """At most `size` objects behind the object with the key `after`; without a size, all of them."""

    size: int | None = None
    after: int | None = None
    order: Order = Order.REGISTERED


ALL = Page()


class Found(NamedTuple):
    """One object found: its keys and, unless only references were wanted, its rendering."""

    patient_key: int
    object_key: int
    entry_uuid: str
    logical_id: str = ""
    unique_id: str | None = None
    rendering: bytes = b""
