"""Transaction -> the action its request is addressed with. ITI TF-2: 3.18.7 and each transaction's like section."""

from collections.abc import Mapping

from hl7v3.identity_feed import Interaction
from hl7v3.transmission import V3

ACTIONS: Mapping[str, str] = {
    "ITI-18": "urn:ihe:iti:2007:RegistryStoredQuery",
    "ITI-41": "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    "ITI-42": "urn:ihe:iti:2007:RegisterDocumentSet-b",
    "ITI-43": "urn:ihe:iti:2007:RetrieveDocumentSet",
    "ITI-51": "urn:ihe:iti:2009:MultiPatientStoredQuery",
    "ITI-57": "urn:ihe:iti:2010:UpdateDocumentSet",
    "ITI-61": "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry",
    "ITI-62": "urn:ihe:iti:2010:DeleteDocumentSet",
    "ITI-86": "urn:ihe:iti:2017:RemoveDocuments",
    "ITI-92": "urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
}
_TRANSACTIONS = {action: name for name, action in ACTIONS.items()} | {f"{V3}:{name}": "ITI-44" for name in Interaction}


def transaction_of_action(action: str) -> str:
    """`ITI-18` of its action; empty for an action that is none of ours."""
    return _TRANSACTIONS.get(action.strip(), "")
