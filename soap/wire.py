"""Wire profiles: what a listener tolerates of senders known to be wrong. DMP 5, W01 to W14."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from xds.ebrim.mend import mend


def _leave(_: etree._Element) -> None:
    """A body as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`strict` follows the standards; `dmp` accepts what existing French senders emit.

    Rights are always decided on the transaction that is run, whichever header chose it. `mend` changes the body
    before anything reads it.
    """

    name: str
    soap_1_1_in_mtom: bool = False
    action_may_differ: bool = False
    action_may_lack: bool = False
    any_part_type: bool = False
    bare_line_feeds: bool = False
    action_aliases: Mapping[str, str] = field(default_factory=dict)
    mend: Callable[[etree._Element], None] = _leave


STRICT = Wire(name="strict")
DMP = Wire(
    name="dmp",
    soap_1_1_in_mtom=True,
    action_may_differ=True,
    action_may_lack=True,
    any_part_type=True,
    bare_line_feeds=True,
    action_aliases={
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse": "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
        "urn:ihe:iti:2007:RegistryStoredQueryResponse": "urn:ihe:iti:2007:RegistryStoredQuery",
        "urn:ihe:iti:2007:RetrieveDocumentSetResponse": "urn:ihe:iti:2007:RetrieveDocumentSet",
        "urn:ihe:iti:2007:RegisterDocumentSet-bResponse": "urn:ihe:iti:2007:RegisterDocumentSet-b",
        "urn:ihe:iti:2010:UpdateDocumentSetResponse": "urn:ihe:iti:2010:UpdateDocumentSet",
        "urn:ihe:iti:xds-b:2007:UpdateDocumentSet-b": "urn:ihe:iti:2010:UpdateDocumentSet",
    },
    mend=mend,
)
WIRES = {wire.name: wire for wire in (STRICT, DMP)}
