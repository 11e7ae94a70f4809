"""The door for repositories in other processes: `/internal/registry`, shut to everybody but them."""

import hmac
from collections.abc import Callable
from typing import Any
from wsgiref.types import WSGIEnvironment

import flask

from access_policy.caller import Caller
from carnet.auditing import Auditor
from carnet.authentication import PeerCertificate
from carnet.caller_json import NoCaller, read_caller
from carnet.carried_caller import IsTrusted
from carnet.failures import log_unexpected
from carnet.internal_calls import PREFIX, BadCall, read_call, texts, write_call
from carnet.listed_clients import ListedClients
from carnet.on_demand_documents import find_on_demand
from carnet.on_demand_json import write_on_demand
from registry import document_recipient, repository_questions
from registry import iti42_register_document_set_b as iti42
from registry.answers import storage_error
from registry.store import Registry
from repository.registration import InOneUnit, Register
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.ebrim.attributes import SubmissionKind
from xds.ebrim.read import Reading, read_submission
from xds.ebrim.response import registry_response
from xds.errors import RegistryError, Rejected
from xds.xml import BadXml, parse

# What a repository in another process lets its callers do. ITI TF-2: 3.43
_RETRIEVAL = "ITI-43"
# Name of a question -> what answers it.
Questions = dict[str, Callable[[dict[str, Any]], bytes]]


def is_one_of(clients: ListedClients, peer_certificate: PeerCertificate) -> IsTrusted:
    """Whether a request comes over a connection that one of these client certificates opened."""

    def is_trusted(environ: WSGIEnvironment) -> bool:
        certificate = peer_certificate(environ)
        return certificate is not None and certificate in clients

    return is_trusted


def shows(secret: str) -> IsTrusted:
    """Whether a request shows the secret; compared in constant time. Without a secret nobody is trusted."""

    def is_trusted(environ: WSGIEnvironment) -> bool:
        scheme, _, shown = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        is_same = hmac.compare_digest(shown.encode("latin-1", "replace"), secret.encode())
        return bool(secret) and scheme == "Bearer" and is_same

    return is_trusted


def internal_blueprint(
    registry: Registry, auditor: Auditor, is_trusted: IsTrusted, *, largest: int, open_callers: bool
) -> flask.Blueprint:
    """Questions of repositories, of at most `largest` octets; callers nobody asked only where `open_callers`."""
    door = flask.Blueprint("internal", __name__, url_prefix=PREFIX)
    questions = _questions(registry, auditor, open_callers=open_callers)

    @door.post("/<question>")
    def answer(question: str) -> flask.Response:
        if not is_trusted(flask.request.environ):
            return _refused(401, "expected the secret that registry and repository share, or a known certificate")
        if question not in questions:
            return _refused(404, f"no such question; known are {', '.join(questions)}")
        length = flask.request.content_length
        if length is None or length > largest:
            return _refused(413, f"expected a Content-Length of at most {largest}")
        try:
            return _json(questions[question](read_call(flask.request.get_data(cache=False))))
        except (BadCall, NoCaller) as problem:
            return _refused(400, str(problem))
        except StorageFailed:
            return _refused(503, "the registry's database cannot be used now")
        except Exception as problem:  # noqa: BLE001 - the repository gets a correlation id, the log the rest
            return _refused(503, f"unexpected failure, reported as {log_unexpected(problem)}")

    return door


def _questions(registry: Registry, auditor: Auditor, *, open_callers: bool) -> Questions:
    def caller_of(told: dict[str, Any]) -> Caller:
        caller = read_caller(told.get("caller"))
        if caller.is_open and not open_callers:
            raise BadCall("caller: found one that nobody asked, expected one who proved who they are")
        return caller

    return _of_callers(registry, auditor, caller_of) | _of_the_repository(registry)


def _of_callers(registry: Registry, auditor: Auditor, caller_of: Callable[[dict[str, Any]], Caller]) -> Questions:
    """What somebody may do who came to the repository."""

    def readable(told: dict[str, Any]) -> bytes:
        """What may be read is about to be: a reader is counted, an emergency told, before anything leaves."""
        caller = caller_of(told)
        found = repository_questions.readable(registry, caller, texts(told.get("uniqueIds"), "uniqueIds"))
        if found and auditor.accesses is not None:
            auditor.accesses.served(_RETRIEVAL, caller)
        return write_call(uniqueIds=sorted(found))

    def rule(told: dict[str, Any]) -> bytes:
        caller = caller_of(told)
        return write_call(rule="" if auditor.rule_of is None else auditor.rule_of(_RETRIEVAL, caller))

    def check(told: dict[str, Any]) -> bytes:
        found = InOneUnit(registry.units, _registering(registry, told)).findings(_reading(told), caller_of(told))
        return write_call(response=registry_response(found).decode())

    def receive(told: dict[str, Any]) -> bytes:
        response = _received(registry, _registering(registry, told), _reading(told), caller_of(told))
        return write_call(response=response.decode())

    def ondemand(told: dict[str, Any]) -> bytes:
        found = find_on_demand(registry, caller_of(told), texts(told.get("uniqueIds"), "uniqueIds"))
        return write_call(documents=[write_on_demand(one) for one in found.values()])

    known = (readable, rule, check, receive, ondemand)
    return {question.__name__: question for question in known}


def _of_the_repository(registry: Registry) -> Questions:
    """What the repository wants to know for itself."""

    def submission(told: dict[str, Any]) -> bytes:
        entry_uuid, unique_id = texts([told.get("entryUUID"), told.get("uniqueId")], "entryUUID, uniqueId")
        found = repository_questions.documents_of(registry, entry_uuid, unique_id)
        return write_call(documents=None if found is None else sorted(found))

    def entries(told: dict[str, Any]) -> bytes:
        [repository_id] = texts([told.get("repositoryUniqueId")], "repositoryUniqueId")
        found, position = repository_questions.entries_of(registry, repository_id, _position(told.get("after")))
        return write_call(entries=[(one.unique_id, one.hash, one.size) for one in found], after=position)

    def waiting(told: dict[str, Any]) -> bytes:
        found = repository_questions.waiting(registry, texts(told.get("uniqueIds"), "uniqueIds"))
        return write_call(uniqueIds=sorted(found))

    def named(told: dict[str, Any]) -> bytes:
        found = repository_questions.named(registry, texts(told.get("uniqueIds"), "uniqueIds"))
        return write_call(uniqueIds=sorted(found))

    def ready(_told: dict[str, Any]) -> bytes:
        with registry.units.read():
            return write_call(ready=registry.units.is_accepting())

    def patients(told: dict[str, Any]) -> bytes:
        with registry.units.read() as connection:
            return write_call(patients=registry.patients_of(connection, texts(told.get("ids"), "ids")))

    known = (submission, entries, waiting, named, ready, patients)
    return {question.__name__: question for question in known}


def _position(found: Any) -> tuple[int, int]:
    if not isinstance(found, list) or len(found) != 2 or not all(type(one) is int for one in found):
        raise BadCall("after: expected two whole numbers")
    return found[0], found[1]


def _reading(told: dict[str, Any]) -> Reading:
    [request] = texts([told.get("request")], "request")
    try:
        return read_submission(parse(request.encode()))
    except BadXml as problem:
        raise BadCall(f"request: {problem}") from None


def _registering(registry: Registry, told: dict[str, Any]) -> Register:
    """How a submission is registered: as a recipient takes it where the call says whether with limited metadata."""
    limited = told.get("limited")
    if limited is not None and not isinstance(limited, bool):
        raise BadCall("limited: expected a truth value or nothing")

    def register(unit: UnitOfWork, reading: Reading, caller: Caller) -> tuple[RegistryError, ...]:
        if limited is not None:
            return document_recipient.receive(registry, unit, reading, caller, takes_limited=limited)
        iti42.handle(registry, unit, reading, caller, kind=SubmissionKind.PROVIDE)
        return ()

    return register


def _received(registry: Registry, register: Register, reading: Reading, caller: Caller) -> bytes:
    """A submission -> `rs:RegistryResponse`."""
    try:
        return registry_response(tuple(registry.units.write(lambda unit: register(unit, reading, caller))))
    except Rejected as rejected:
        return registry_response(rejected.errors)
    except StorageFailed as problem:
        return registry_response([storage_error(problem)])


def _json(body: bytes) -> flask.Response:
    return flask.Response(body, content_type="application/json")


def _refused(status: int, sentence: str) -> flask.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    body = write_call(error=sentence)
    return flask.Response(body, status=status, content_type="application/json", headers=headers)
