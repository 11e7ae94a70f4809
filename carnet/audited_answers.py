"""How a request ended, read from the answer as its sender will read it. ITI TF-3: 4.2.4; HL7 v3 MCCI."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lxml import etree

from audit.record import Outcome
from xds.errors import ErrorCode
from xds.vocabulary import RS, XDS_B, ResponseStatus

_HEAD = 1000
_STATUS = re.compile(rb' status="([^"]*)"')
_ACKNOWLEDGEMENT = re.compile(rb'<acknowledgement><typeCode code="(\w+)"/>')
_RULE = re.compile(r" \(([a-z_]+[.:][\w./:=^-]+)\)\Z")
_SIMPLE_STATUS = re.compile(rb'<\w+Response xmlns="urn:si-dmp-\w+"><status>([^<]*)<')
_RECORD_ANSWER = re.compile(rb"(<\w+_Response [^>]*>)?<PRPA_IN2013(06|08|12|13|15|16)UV02 ")
_DETAIL_CODE = re.compile(rb'<acknowledgementDetail [^>]*><code code="([^"]*)"')
_ERROR, _DELIVERED = f"{{{RS}}}RegistryError", f"{{{XDS_B}}}DocumentResponse/{{{XDS_B}}}DocumentUniqueId"
_MINOR = {ErrorCode.REGISTRY_BUSY, ErrorCode.REPOSITORY_BUSY}
_MAJOR = {ErrorCode.REGISTRY_OUT_OF_RESOURCES, ErrorCode.REPOSITORY_OUT_OF_RESOURCES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The outcome of what failed, SUCCESS when nothing did; error codes; what was delivered or failed, by its id.

    `rules` of the policy that refused, by their stable ids.
    """

    outcome: Outcome = Outcome.SUCCESS
    is_partial: bool = False
    codes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    delivered: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    @property
    def description(self) -> str:
        """Error codes and rules, and nothing that could name a patient."""
        return " ".join((*self.codes, *self.rules))


SUCCEEDED = Ended()


def read_answer(body: bytes) -> Ended:
    """The end of a request from the body element of its answer; a large one that went well is not parsed."""
    head = body[:_HEAD]
    if b"MCCI_IN000002UV01" in head:
        acknowledged = _ACKNOWLEDGEMENT.search(body)
        code = acknowledged[1].decode() if acknowledged is not None else ""
        return SUCCEEDED if code in ("CA", "AA") else Ended(outcome=Outcome.SERIOUS, codes=(code,))
    refusal = _record_refusal(head)
    if refusal is not None:
        return Ended(outcome=Outcome.SERIOUS, codes=(refusal,)) if refusal else SUCCEEDED
    status = _STATUS.search(head)
    if status is not None and status[1] == ResponseStatus.SUCCESS.encode():
        return SUCCEEDED
    return _read_failure(body, is_partial=status is not None and status[1] == ResponseStatus.PARTIAL_SUCCESS.encode())


def _record_refusal(head: bytes) -> str | None:
    """The code of a refused transaction on a record, empty where it was done; None for another answer. DMP 3, 4"""
    simple = _SIMPLE_STATUS.match(head)
    if simple is not None:
        return "" if simple[1] == b"DMPOk" else simple[1].decode()
    if not _RECORD_ANSWER.match(head):
        return None
    accepted = b'<acknowledgement typeCode="AA">' in head or b'<acknowledgement><typeCode code="AA"/>' in head
    code = _DETAIL_CODE.search(head)
    return "" if accepted else code[1].decode() if code is not None else "AE"


def _read_failure(body: bytes, *, is_partial: bool) -> Ended:
    root = etree.fromstring(body, etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True))
    errors = list(root.iter(_ERROR))
    codes = tuple(dict.fromkeys(one.get("errorCode", "") for one in errors))
    return Ended(
        outcome=outcome_of(codes),
        is_partial=is_partial,
        codes=codes,
        rules=tuple(dict.fromkeys(_rules(errors))),
        delivered=frozenset(str(one.text or "").strip() for one in root.iterfind(_DELIVERED)),
        failed=frozenset(one.get("location", "") for one in errors),
    )


def _rules(errors: Collection[etree._Element]) -> Iterator[str]:
    """The policy names its rule at the end of what it says."""
    for one in errors:
        found = _RULE.search(one.get("codeContext", ""))
        if one.get("errorCode") == ErrorCode.LOCAL_POLICY_RESTRICTION and found is not None:
            yield found[1]


def outcome_of(codes: Collection[str]) -> Outcome:
    """8 for a refusal, 12 when the service itself fails, 4 for an answer that invites to try again."""
    if any(code in _MAJOR for code in codes):
        return Outcome.MAJOR
    return Outcome.MINOR if codes and all(code in _MINOR for code in codes) else Outcome.SERIOUS
