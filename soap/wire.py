"""Wire profiles: what a listener tolerates of senders known to be wrong. DMP W01 to W03."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`strict` follows the standards; `dmp` accepts what existing French senders emit.

    Rights are always decided on the transaction that is run, whichever header chose it.
    """

    name: str
    soap_1_1_in_mtom: bool = False
    action_may_differ: bool = False
    action_may_lack: bool = False
    any_part_type: bool = False
    bare_line_feeds: bool = False
    action_aliases: Mapping[str, str] = field(default_factory=dict)


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
    },
)
WIRES = {wire.name: wire for wire in (STRICT, DMP)}
