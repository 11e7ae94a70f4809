"""Where messages go: one address per transaction, several repositories by their id."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from conformance.nist.testplan import Step
from conformance.nist.transactions import (
    ITI43,
    REGISTRY_ENDPOINTS,
    REPOSITORY_ENDPOINTS,
    XDR,
    Kind,
    Transaction,
)
from conformance.nist.vocabulary import LIMITED_METADATA_NODES, XDS_B
from conformance.nist.xml import BadXml, parse, text_of
from conformance.sentence import NOTHING_SAID, Sentence

_OPTIONS = {
    **dict.fromkeys(REGISTRY_ENDPOINTS, "--registry URL"),
    **dict.fromkeys(REPOSITORY_ENDPOINTS, "--repository URL"),
    "xdr": "--xdr URL",
    "xdr_limited": "--xdr-limited URL",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """`addresses`: name of an endpoint → URL. `repositories`: repositoryUniqueId → URL for ITI-43."""

    addresses: Mapping[str, str]
    repositories: Mapping[str, str] = field(default_factory=dict)

    def url(self, step: Step, transaction: Transaction, payload: etree._Element) -> str:
        """The address for this message."""
        if transaction is ITI43:
            repository = payload.find(f".//{{{XDS_B}}}RepositoryUniqueId")
            found = self.repositories.get("" if repository is None else text_of(repository))
            if found:
                return found
        return self.addresses[endpoint_name(step, transaction, payload)]

    def missing(self, step: Step) -> Sentence:
        """Why the step cannot be sent; empty when it can."""
        if step.instructions is None or step.instructions.transaction.kind in (Kind.EVALUATION, Kind.FEED):
            return NOTHING_SAID
        path = step.instructions.metadata_file
        try:
            payload = None if path is None else parse(path.read_bytes())
        except BadXml:
            payload = None
        name = endpoint_name(step, step.instructions.transaction, payload)
        if name in self.addresses:
            return NOTHING_SAID
        transaction, option = step.instructions.transaction.name, _OPTIONS.get(name, name)
        return Sentence(
            f"aucune adresse pour {transaction} : donner {option}", f"no address for {transaction}: give {option}"
        )


def endpoint_name(step: Step, transaction: Transaction, payload: etree._Element | None) -> str:
    """Limited metadata that must be accepted goes to the XDR recipient that has the option; all else by transaction."""
    is_limited = payload is not None and any(
        one.get("classificationNode") in LIMITED_METADATA_NODES for one in payload.iter("{*}Classification")
    )
    return "xdr_limited" if transaction is XDR and is_limited and step.expects_success else transaction.endpoint


def default_addresses(registry: str, repository: str) -> dict[str, str]:
    """What --registry and --repository stand for."""
    found = dict.fromkeys(REGISTRY_ENDPOINTS, registry) | dict.fromkeys(REPOSITORY_ENDPOINTS, repository)
    return {name: url for name, url in found.items() if url}
