"""On-Demand Document Source: who makes the content of on-demand documents. ITI TF-1: 10.1.1.7.

An on-demand entry whose content is made here says by whom in a Slot of its own; providers are looked up by that name.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from access_policy.caller import Caller
from xds.datatypes import DTM
from xds.metadata import DocumentEntry, SubmissionSet

PROVIDER_SLOT = "urn:carnet:on-demand:provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemandDocument:
    """An on-demand entry, who submitted it, and what its content may be made of.

    `record`: the stable documents of the patient that the requester may see, oldest registration first, without the
    snapshots of this entry. `snapshot`: the newest of those, whoever may see it; None when there is none.
    """

    entry: DocumentEntry
    submission_set: SubmissionSet
    record: tuple[DocumentEntry, ...] = ()
    snapshot: DocumentEntry | None = None

    @property
    def provider(self) -> str:
        """Name of the provider; empty when the entry names none."""
        return next((slot.values[0] for slot in self.entry.extra_slots if slot.name == PROVIDER_SLOT), "")


class Provider(Protocol):
    """Makes the content of one kind of on-demand document."""

    def content(self, document: OnDemandDocument, *, unique_id: str, made: DTM) -> bytes:
        """The octets of the document with that uniqueId (an OID), made then (to the second, UTC).

        It depends on its arguments alone: the same ones give the same octets, which is how a snapshot is
        recognised as still true.
        """
        ...


FindOnDemand = Callable[[Caller, Collection[str]], Mapping[str, OnDemandDocument]]


def _nothing(_caller: Caller, _unique_ids: Collection[str]) -> dict[str, OnDemandDocument]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDemandSource:
    """What a repository needs to answer for on-demand entries; by default it answers for none.

    `find` gives those of some DocumentUniqueIds that are on-demand entries the caller may see; `keeps_snapshots` is the
    option Persistence of Retrieved Documents. ITI TF-1: 10.2.6
    """

    find: FindOnDemand = _nothing
    providers: Mapping[str, Provider] = field(default_factory=dict)
    keeps_snapshots: bool = False
