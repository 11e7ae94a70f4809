"""The transactions a plan can name: action, packaging, answer, and where they are sent. ITI TF-2: 3.18 to 3.92."""

from dataclasses import dataclass
from enum import Enum

from conformance.nist.vocabulary import LCM, QUERY, RMD, RS, XDS_B


class Kind(Enum):
    """How a message is prepared and what its answer is."""

    SUBMISSION = "submission"
    QUERY = "query"
    REMOVAL = "removal"
    RETRIEVE = "retrieve"
    FEED = "feed"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """`endpoint` names the address of the run that takes it; `response_action` empty means action + "Response"."""

    name: str
    kind: Kind
    endpoint: str = ""
    action: str = ""
    given_response_action: str = ""
    request: str = ""
    answer: str = ""
    is_mtom: bool = False
    is_provide: bool = False

    @property
    def response_action(self) -> str:
        return self.given_response_action or f"{self.action}Response"

    @property
    def is_sent(self) -> bool:
        return self.kind is not Kind.EVALUATION

    @property
    def sends_file(self) -> bool:
        return self.kind not in (Kind.EVALUATION, Kind.FEED)

    @property
    def is_submission(self) -> bool:
        return self.kind is Kind.SUBMISSION


_SUBMIT, _RESPONSE = f"{{{LCM}}}SubmitObjectsRequest", f"{{{RS}}}RegistryResponse"
_QUERY_REQUEST, _QUERY_RESPONSE = f"{{{QUERY}}}AdhocQueryRequest", f"{{{QUERY}}}AdhocQueryResponse"
_PROVIDE = f"{{{XDS_B}}}ProvideAndRegisterDocumentSetRequest"
_RETRIEVE, _RETRIEVED = f"{{{XDS_B}}}RetrieveDocumentSetRequest", f"{{{XDS_B}}}RetrieveDocumentSetResponse"

ITI8 = Transaction(name="ITI-8", kind=Kind.FEED, endpoint="iti8")
ITI18 = Transaction(
    name="ITI-18",
    kind=Kind.QUERY,
    endpoint="iti18",
    action="urn:ihe:iti:2007:RegistryStoredQuery",
    request=_QUERY_REQUEST,
    answer=_QUERY_RESPONSE,
)
ITI41 = Transaction(
    name="ITI-41",
    kind=Kind.SUBMISSION,
    endpoint="iti41",
    action="urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    request=_PROVIDE,
    answer=_RESPONSE,
    is_mtom=True,
    is_provide=True,
)
XDR = Transaction(
    name="ITI-41 (XDR)",
    kind=Kind.SUBMISSION,
    endpoint="xdr",
    action="urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b",
    request=_PROVIDE,
    answer=_RESPONSE,
    is_mtom=True,
    is_provide=True,
)
ITI42 = Transaction(
    name="ITI-42",
    kind=Kind.SUBMISSION,
    endpoint="iti42",
    action="urn:ihe:iti:2007:RegisterDocumentSet-b",
    request=_SUBMIT,
    answer=_RESPONSE,
)
ITI43 = Transaction(
    name="ITI-43",
    kind=Kind.RETRIEVE,
    endpoint="iti43",
    action="urn:ihe:iti:2007:RetrieveDocumentSet",
    request=_RETRIEVE,
    answer=_RETRIEVED,
    is_mtom=True,
)
ITI51 = Transaction(
    name="ITI-51",
    kind=Kind.QUERY,
    endpoint="iti51",
    action="urn:ihe:iti:2009:MultiPatientStoredQuery",
    request=_QUERY_REQUEST,
    answer=_QUERY_RESPONSE,
)
ITI57 = Transaction(
    name="ITI-57",
    kind=Kind.SUBMISSION,
    endpoint="iti57",
    action="urn:ihe:iti:2010:UpdateDocumentSet",
    request=_SUBMIT,
    answer=_RESPONSE,
)
ITI61 = Transaction(
    name="ITI-61",
    kind=Kind.SUBMISSION,
    endpoint="iti61",
    action="urn:ihe:iti:2010:RegisterOnDemandDocumentEntry",
    given_response_action="urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
    request=_SUBMIT,
    answer=_RESPONSE,
)
ITI62 = Transaction(
    name="ITI-62",
    kind=Kind.REMOVAL,
    endpoint="iti62",
    action="urn:ihe:iti:2010:DeleteDocumentSet",
    request=f"{{{LCM}}}RemoveObjectsRequest",
    answer=_RESPONSE,
)
ITI86 = Transaction(
    name="ITI-86",
    kind=Kind.REMOVAL,
    endpoint="iti86",
    action="urn:ihe:iti:2017:RemoveDocuments",
    request=f"{{{RMD}}}RemoveDocumentsRequest",
    answer=_RESPONSE,
)
ITI92 = Transaction(
    name="ITI-92",
    kind=Kind.SUBMISSION,
    endpoint="iti92",
    action="urn:ihe:iti:2018:RestrictedUpdateDocumentSet",
    request=_SUBMIT,
    answer=_RESPONSE,
)
EVALUATION = Transaction(name="evaluation", kind=Kind.EVALUATION)

TRANSACTIONS = {
    "PatientIdentityFeedTransaction": ITI8,
    "StoredQueryTransaction": ITI18,
    "ProvideAndRegisterTransaction": ITI41,
    "XDRProvideAndRegisterTransaction": XDR,
    "RegisterTransaction": ITI42,
    "RetrieveTransaction": ITI43,
    "MPQTransaction": ITI51,
    "MuTransaction": ITI57,
    "RegisterODDETransaction": ITI61,
    "RemoveMetadataTransaction": ITI62,
    "RmdTransaction": ITI62,
    "RdTransaction": ITI86,
    "RmuTransaction": ITI92,
    "NullTransaction": EVALUATION,
}

# Addresses that --registry stands for, and those that --repository stands for.
REGISTRY_ENDPOINTS = ("iti18", "iti42", "iti51", "iti57", "iti61", "iti62", "iti92")
REPOSITORY_ENDPOINTS = ("iti41", "iti43", "iti86")
XDR_ENDPOINTS = ("xdr", "xdr_limited")
