"""A registry in another process: Register Document Set-b [ITI-42] over SOAP, and what else a repository asks of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import structlog

from access_policy.caller import Caller
from carnet.caller_json import write_caller
from carnet.exchange import ClientError, NotTaken, base_url, exchange
from carnet.internal_calls import PREFIX, BadCall, read_call, write_call
from carnet.internal_proof import Shown
from carnet.on_demand_json import read_on_demand
from carnet.settings import Settings
from carnet.xds_answers import Answer, read_answer
from carnet.xds_client import XdsClient
from registry.sql.stored_entries import START, StoredEntry
from repository.on_demand_source import OnDemandDocument
from repository.registration import RegistryNotAvailable
from repository.registration_elsewhere import AnswerLost
from xds.ebrim.read import Reading
from xds.ebrim.write import write_submit_objects_request
from xds.errors import RegistryError, Rejected
from xds.xml import BadXml, parse

_READY_SECONDS = 3.0


class RegistryElsewhere:
    """The functions a repository is handed in one process, for a registry in another.

    Each raises RegistryNotAvailable; those that change something raise Rejected and AnswerLost as well.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet. Raises SettingsError for a secret that cannot be used."""
        self._registry, self._timeout = settings.registry_url, float(settings.registry_timeout_seconds)
        self._takes_limited = settings.limited_metadata
        self._shown = Shown(settings)
        self._url = base_url(settings.registry_url, self._shown.context)

    def register(self, reading: Reading, caller: Caller) -> Sequence[RegistryError]:
        """Register Document Set-b [ITI-42]; returns warnings. The registry judges the claims of the caller."""
        client = XdsClient(self._registry, proof=self._shown.for_caller(caller))
        try:
            answer = client.register(reading.submission)
        except NotTaken as problem:
            raise _not_available(problem, _kind(problem)) from problem
        except ClientError as problem:
            raise _lost(problem, _kind(problem)) from problem
        return _warnings(answer)

    def receive(self, reading: Reading, caller: Caller) -> Sequence[RegistryError]:
        """A submission to a Document Recipient, which the registry takes without its history; returns warnings."""
        told = _submission(reading, caller, limited=self._takes_limited)
        try:
            return _warnings(_answer(self._asked("receive", told, timeout=self._timeout)))
        except NotTaken as problem:
            raise _not_available(problem, str(problem)) from problem
        except ClientError as problem:
            raise _lost(problem, str(problem)) from problem

    def check(self, reading: Reading, caller: Caller) -> Sequence[RegistryError]:
        """Everything that is wrong with a submission, which is not registered."""
        return _answer(self._told("check", **_submission(reading, caller))).errors

    def check_received(self, reading: Reading, caller: Caller) -> Sequence[RegistryError]:
        """The same for a submission to a Document Recipient."""
        return _answer(self._told("check", **_submission(reading, caller, limited=self._takes_limited))).errors

    def readable(self, caller: Caller, unique_ids: Collection[str]) -> frozenset[str]:
        """Those of the DocumentUniqueIds whose entries the caller may see."""
        if not unique_ids:
            return frozenset()
        found = self._told("readable", caller=write_caller(caller), uniqueIds=sorted(unique_ids))
        return frozenset(found["uniqueIds"]) & frozenset(unique_ids)

    def rule_of(self, _event: str, caller: Caller) -> str:
        """The rule of the policy that let the caller read, for audit records; empty while the registry is away."""
        try:
            return str(self._told("rule", caller=write_caller(caller))["rule"])
        except RegistryNotAvailable:
            return ""

    def waiting(self, unique_ids: Collection[str]) -> frozenset[str]:
        """Those of the DocumentUniqueIds whose submission waits for its patient."""
        return self._among("waiting", unique_ids)

    def named(self, unique_ids: Collection[str]) -> frozenset[str]:
        """Those of the DocumentUniqueIds that the registry knows, of entries or of submissions that wait."""
        return self._among("named", unique_ids)

    def patients_of(self, ids: Collection[str]) -> Mapping[str, str]:
        """Patients (CX) of documents by uniqueId or entryUUID, for audit records; none while the registry is away."""
        try:
            return dict(self._told("patients", ids=sorted(ids))["patients"]) if ids else {}
        except RegistryNotAvailable:
            return {}

    def find_on_demand(self, caller: Caller, unique_ids: Collection[str]) -> Mapping[str, OnDemandDocument]:
        """Those of the DocumentUniqueIds that are on-demand entries the caller may see, with what they are made of."""
        if not unique_ids:
            return {}
        found = self._told("ondemand", caller=write_caller(caller), uniqueIds=sorted(unique_ids))
        documents = [read_on_demand(one) for one in found["documents"]]
        return {one.entry.unique_id or "": one for one in documents}

    def _among(self, question: str, unique_ids: Collection[str]) -> frozenset[str]:
        if not unique_ids:
            return frozenset()
        return frozenset(self._told(question, uniqueIds=sorted(unique_ids))["uniqueIds"])

    def documents_of(self, submission: str, unique_id: str) -> frozenset[tuple[str, str]] | None:
        """(uniqueId, SHA-1) of the documents of a submission by entryUUID and uniqueId; None: it is not there."""
        found = self._told("submission", entryUUID=submission, uniqueId=unique_id)["documents"]
        return None if found is None else frozenset((one[0], one[1]) for one in found)

    def entries(self, repository_unique_id: str) -> Iterator[list[StoredEntry]]:
        """Every stable entry whose document this repository keeps, page by page."""
        after: Any = START
        while after is not None:
            found = self._told("entries", repositoryUniqueId=repository_unique_id, after=after)
            after = found["after"]
            yield [
                StoredEntry(unique_id=one[0], repository_unique_id=repository_unique_id, hash=one[1], size=one[2])
                for one in found["entries"]
            ]

    def ready(self) -> None:
        """Whether the registry answers this repository and takes submissions. Raises RegistryNotAvailable."""
        if self._told("ready", timeout=_READY_SECONDS)["ready"] is not True:
            raise RegistryNotAvailable("the registry takes no submissions")

    def _told(self, question: str, *, timeout: float = 0.0, **told: Any) -> dict[str, Any]:
        """The answer to a question, which changes nothing and may simply be asked again."""
        try:
            return self._asked(question, told, timeout=timeout or self._timeout)
        except ClientError as problem:
            raise _not_available(problem, str(problem)) from problem

    def _asked(self, question: str, told: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        path = f"{PREFIX}/{question}"
        headers = {**self._shown.headers, "Content-Type": "application/json"}
        call, context = write_call(**told), self._shown.context
        status, _, body = exchange(self._url, path, call, headers, timeout=timeout, context=context)
        if status != 200:
            failure = NotTaken if 400 <= status < 500 else ClientError
            raise failure(f"{self._url.geturl()}{path} answered {status}: {body[:300].decode('utf-8', 'replace')}")
        try:
            return read_call(body)
        except BadCall as problem:
            raise ClientError(f"{self._url.geturl()}{path}: {problem}") from problem


def _submission(reading: Reading, caller: Caller, *, limited: bool | None = None) -> dict[str, Any]:
    """A submission in a call; `limited`: as a Document Recipient takes it, with limited metadata or without."""
    request = write_submit_objects_request(reading.submission.objects, flagged=True).decode()
    return {"caller": write_caller(caller), "request": request, "limited": limited}


def _answer(found: dict[str, Any]) -> Answer:
    try:
        return read_answer(parse(str(found.get("response")).encode()))
    except BadXml as problem:
        raise ClientError(f"the registry answered no registry response: {problem}") from problem


def _warnings(answer: Answer) -> tuple[RegistryError, ...]:
    if not answer.is_success:
        raise Rejected(answer.errors)
    return answer.errors


def _kind(problem: Exception) -> str:
    """For the log: what a registry of any maker says in words may speak of a patient."""
    return str(problem.__cause__) if isinstance(problem.__cause__, OSError) else type(problem).__name__


def _not_available(problem: Exception, words: str) -> RegistryNotAvailable:
    structlog.get_logger().warning("registry not available", problem=words)
    return RegistryNotAvailable(str(problem))


def _lost(problem: Exception, words: str) -> AnswerLost:
    structlog.get_logger().warning("answer of the registry lost", problem=words)
    return AnswerLost(str(problem))
