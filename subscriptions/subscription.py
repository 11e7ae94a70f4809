"""A subscription as a value: whose documents, which changes, where to. ITI TF-2: 3.52; DSUBm 2:3.111."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from xds.datatypes import XCN, XON, Code, CXi, normalised
from xds.metadata import Association, DocumentEntry, Folder, RegistryObject, SubmissionSet
from xds.vocabulary import REPLACEMENTS, AssociationType

_RESTRICTIONS = "1.2.250.1.213.1.1.4.13"


class Event(StrEnum):
    """What happened to a document, or to a list of them. A replacement and a masking name the document there is now.

    `UPDATED` is a change of attributes or of the status alone: archived, deprecated, deleted.
    """

    NEW = "new"
    REPLACED = "replaced"
    MASKED = "masked"
    UPDATED = "updated"
    SUBMITTED = "submitted"
    FOLDER_NEW = "folder-new"
    FOLDER_ENTERED = "folder-entered"
    FOLDER_UPDATED = "folder-updated"
    HANDSHAKE = "handshake"

    @property
    def kind(self) -> type[RegistryObject]:
        """What it happened to."""
        return SubmissionSet if self is Event.SUBMITTED else Folder if self in OF_FOLDERS else DocumentEntry

    @property
    def is_creation(self) -> bool:
        return self in (Event.NEW, Event.REPLACED, Event.SUBMITTED, Event.FOLDER_NEW)


CHANGES = (Event.NEW, Event.REPLACED, Event.MASKED, Event.UPDATED)
ENTERING = (Event.FOLDER_NEW, Event.FOLDER_ENTERED)
OF_FOLDERS = (*ENTERING, Event.FOLDER_UPDATED)


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
    """At least one of the codes stands in the attribute (its field name), without scheme in any."""

    attribute: str
    any_of: tuple[Code, ...]

    def fits(self, thing: RegistryObject) -> bool:
        found = getattr(thing, self.attribute)
        held = found if isinstance(found, tuple) else (found,) if found is not None else ()
        return any(
            one.code == wanted.code and wanted.coding_scheme in ("", None, one.coding_scheme)
            for one in held
            for wanted in self.any_of
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """At least one value of the attribute (its field name, or `author_person`) fits one of the patterns of a stored
    query: `%` any string, `_` one character. ITI TF-2: 3.18.4.1.2.3.5
    """

    attribute: str
    any_of: tuple[str, ...]

    def fits(self, thing: RegistryObject) -> bool:
        patterns = [_pattern(one) for one in self.any_of]
        return any(one.fullmatch(normalised(text)) for text in _texts(thing, self.attribute) for one in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class WordFilter:
    """Authors and reference ids as FHIR asks for them: a name (`author_family`, `author_given`, `author_name`,
    `role_organisation_name`) begins with one of the texts, in any case; an identifier (`author_id`,
    `role_organisation_id`, `reference_id`) is one of them, `id^OID`, or `id` of any authority. DSUBm 2:3.111.4.1.2
    """

    attribute: str
    any_of: tuple[str, ...]

    def fits(self, thing: RegistryObject) -> bool:
        words = _WORDS[self.attribute](thing)
        if self.attribute in _NAMES:
            starts = tuple(one.casefold() for one in self.any_of)
            return any(one.casefold().startswith(starts) for one in words)
        return any(one in self.any_of for one in words)


Filter = CodeFilter | TextFilter | WordFilter


def _people(thing: RegistryObject) -> Iterator[XCN]:
    people = (one.author_person for one in getattr(thing, "author", ()))
    yield from (one for one in people if one is not None)


def _families(thing: RegistryObject) -> Iterator[str]:
    yield from (one.family for one in _people(thing))


def _givens(thing: RegistryObject) -> Iterator[str]:
    yield from (text for one in _people(thing) for text in (one.given, one.further_given) if text)


def _names(thing: RegistryObject) -> Iterator[str]:
    yield from (*_families(thing), *_givens(thing))


def _organisations(thing: RegistryObject) -> Iterator[XON]:
    """For which its authors act: the first institution of one who is more than an institution. MHD 3:4.2.3.5"""
    for one in getattr(thing, "author", ()):
        if one.author_person or one.author_role or one.author_specialty or one.author_telecommunication:
            yield from one.author_institution[:1]


def _identifiers(of: Iterable[XCN | XON | CXi]) -> Iterator[str]:
    yield from (text for one in of if one.id for text in (one.id, f"{one.id}^{one.authority}"))


_NAMES: Mapping[str, Callable[[RegistryObject], Iterator[str]]] = {
    "author_family": _families,
    "author_given": _givens,
    "author_name": _names,
    "role_organisation_name": lambda thing: (one.name for one in _organisations(thing)),
}
_WORDS: Mapping[str, Callable[[RegistryObject], Iterator[str]]] = {
    **_NAMES,
    "author_id": lambda thing: _identifiers(_people(thing)),
    "role_organisation_id": lambda thing: _identifiers(_organisations(thing)),
    "reference_id": lambda thing: _identifiers(getattr(thing, "reference_id_list", ())),
}


def _texts(thing: RegistryObject, attribute: str) -> Iterator[str]:
    if attribute == "author_person":
        yield from map(str, _people(thing))
        return
    found = getattr(thing, attribute)
    yield from map(str, found if isinstance(found, tuple) else () if found is None else (found,))


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """What is between two `%` is looked for once, where it comes first: no pattern takes long."""
    first, *others = (re.escape(part).replace("_", ".") for part in normalised(text).split("%"))
    if not others:
        return re.compile(first, re.DOTALL)
    between = "".join(f"(?>.*?{part})" for part in others[:-1])
    return re.compile(f"{first}{between}.*{others[-1]}", re.DOTALL)


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
    filters: tuple[Filter, ...] = ()
    criteria: str = ""
    media_type: str = "application/fhir+json"

    def wants(self, event: Event, thing: RegistryObject) -> bool:
        """Whether a change of this object fits. ITI TF-2: 3.52.5.2"""
        return event in self.events and all(one.fits(thing) for one in self.filters)


def changes_of(
    added: Sequence[RegistryObject], changed: Sequence[RegistryObject] = ()
) -> Iterator[tuple[Event, RegistryObject]]:
    """What objects that were added mean, and those that were there and are `changed`."""
    links = [one for one in added if isinstance(one, Association)]
    replacing = {one.source for one in links if one.association_type in REPLACEMENTS}
    for one in added:
        if isinstance(one, DocumentEntry):
            yield _event_of(one, is_replacing=one.entry_uuid in replacing), one
        elif isinstance(one, SubmissionSet):
            yield Event.SUBMITTED, one
        elif isinstance(one, Folder):
            yield Event.FOLDER_NEW if _is_first(one) else Event.FOLDER_UPDATED, one
    entered = _entered(added, links)
    for one in {each.entry_uuid: each for each in changed}.values():
        if isinstance(one, DocumentEntry):
            yield Event.UPDATED, one
        elif isinstance(one, Folder):
            yield Event.FOLDER_ENTERED if one.entry_uuid in entered else Event.FOLDER_UPDATED, one


def _entered(added: Sequence[RegistryObject], links: Sequence[Association]) -> set[str]:
    """Sources of memberships, but for those of a former version that a new one takes over."""
    versions = {one.entry_uuid for one in added if isinstance(one, DocumentEntry) and not _is_first(one)}
    members = (one for one in links if one.association_type is AssociationType.HAS_MEMBER)
    return {one.source for one in members if one.target not in versions}


def _is_first(thing: DocumentEntry | Folder) -> bool:
    return (thing.version or 1) == 1


def _event_of(entry: DocumentEntry, *, is_replacing: bool) -> Event:
    if _is_first(entry):
        return Event.REPLACED if is_replacing else Event.NEW
    is_masked = any(one.coding_scheme == _RESTRICTIONS for one in entry.confidentiality_code)
    return Event.MASKED if is_masked else Event.UPDATED
