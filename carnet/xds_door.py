"""The SOAP front door: `/xds/registry`, `/xds/repository` and the rest, with `?wsdl` and `?xsd=`. ITI TF-2x: V."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import IO
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.utils import get_content_length
from werkzeug.wsgi import get_input_stream

from access_policy.permission import permits
from carnet.actions import ACTIONS
from carnet.auditing import RECORDED_WITH_CHANGE, Auditor
from carnet.authentication import CallerOfMessage
from carnet.domains import wire_name
from carnet.failures import log_unexpected
from carnet.record_services import RecordOperation, record_operations
from carnet.roles import Role
from carnet.service_paths import service_paths
from carnet.settings import Settings
from carnet.subscription_door import subscription_operations
from carnet.subscription_wiring import broker_of
from carnet.traffic import is_about
from carnet.wiring import Actors
from dmp.record_desk import RecordDesk
from hl7v3.identity_feed import Interaction
from hl7v3.transmission import V3
from registry import iti18_registry_stored_query as iti18
from registry import iti42_register_document_set_b as iti42
from registry import iti44_patient_identity_feed_hl7v3 as iti44
from registry import iti51_multi_patient_stored_query as iti51
from registry import iti57_update_document_set as iti57
from registry import iti61_register_on_demand_document_entry as iti61
from registry import iti62_remove_metadata as iti62
from registry import iti92_restricted_update_document_set as iti92
from registry.answers import storage_error
from registry.store import Registry
from repository import iti41_provide_and_register_document_set_b as iti41
from repository import iti43_retrieve_document_set as iti43
from repository import iti86_remove_documents as iti86
from repository.registration import RegistryNotAvailable
from repository.store import Repository
from schemas.wsdl import wsdl, xsd
from soap.faults import HTTP_STATUS, FaultCode, HttpRefusal, sender
from soap.large_messages import LargeMessages
from soap.server import Endpoint, HttpAnswer, HttpRequest, Message, Operation, OutgoingPart, Reply, SoapLimits
from soap.wire import WIRES
from storage.unit_of_work import StorageFailed
from xds.ebrim.response import adhoc_query_response, registry_response, retrieve_document_set_response
from xds.errors import ErrorCode, RegistryError
from xds.vocabulary import LCM, QUERY, RMD, XDS_B, ResponseStatus

MEGABYTE = 10**6
_PREFIX = "/xds"
# Door -> the role that opens it.
ENDPOINTS = {
    "registry": Role.REGISTRY,
    "repository": Role.REPOSITORY,
    "patients": Role.REGISTRY,
    "habilitations": Role.REGISTRY,
    "recipient": Role.RECIPIENT,
}
LogRequest = Callable[[str, str, int, float], None]


# The answer of a transaction to a database or a registry that cannot be used now.
Failure = Callable[[RegistryError], bytes]


_NOT_PERMITTED = RegistryError(code=ErrorCode.REGISTRY, context="the caller may not do this")


def _submission_failure(error: RegistryError) -> bytes:
    return registry_response([error])


def _query_failure(error: RegistryError) -> bytes:
    return adhoc_query_response((), [error])


def _retrieve_failure(error: RegistryError) -> bytes:
    return retrieve_document_set_response((), [error], status=ResponseStatus.FAILURE)


def registry_operations(registry: Registry, auditor: Auditor) -> tuple[Operation, ...]:
    """The transactions of the Document Registry."""

    def operation(
        name: str,
        action: str,
        body: str,
        answer: Callable[..., bytes],
        *,
        response_action: str = "",
        failure: Failure = _submission_failure,
    ) -> Operation:
        def handler(message: Message) -> Reply:
            return Reply(body=answer(registry, message.body, message.caller))

        return _operation(auditor, name, action, body, handler, response_action=response_action, failure=failure)

    submit, ask = f"{{{LCM}}}SubmitObjectsRequest", f"{{{QUERY}}}AdhocQueryRequest"
    return (
        operation("ITI-18", ACTIONS["ITI-18"], ask, iti18.soap, failure=_query_failure),
        operation("ITI-42", ACTIONS["ITI-42"], submit, iti42.soap),
        operation("ITI-51", ACTIONS["ITI-51"], ask, iti51.soap, failure=_query_failure),
        operation("ITI-57", ACTIONS["ITI-57"], submit, iti57.soap),
        operation(
            "ITI-61",
            ACTIONS["ITI-61"],
            submit,
            iti61.soap,
            response_action="urn:ihe:iti:2010:RegisterOnDemandDocumentResponse",
        ),
        operation("ITI-62", ACTIONS["ITI-62"], f"{{{LCM}}}RemoveObjectsRequest", iti62.soap),
        operation("ITI-92", ACTIONS["ITI-92"], submit, iti92.soap),
    )


def patient_operations(registry: Registry, auditor: Auditor) -> tuple[Operation, ...]:
    """The patient identity feed of the Document Registry; every interaction has the same answer. ITI TF-2: 3.44.5"""

    def handler(message: Message) -> Reply:
        return Reply(body=iti44.soap(registry, message.body, message.caller))

    operation, answered = partial(_operation, auditor), f"{V3}:MCCI_IN000002UV01"
    return tuple(
        operation(
            f"ITI-44-{name}",
            f"{V3}:{name}",
            f"{{{V3}}}{name}",
            handler,
            response_action=answered,
            failure=_interaction_failure,
        )
        for name in Interaction
    )


def record_door_operations(service: RecordDesk, auditor: Auditor, door: str) -> tuple[Operation, ...]:
    """The messages about records that one door takes; which transaction a message is, its body says."""
    return tuple(_record_operation(service, auditor, one) for one in record_operations() if one.door == door)


def _record_operation(service: RecordDesk, auditor: Auditor, one: RecordOperation) -> Operation:
    def handler(message: Message) -> Reply:
        return Reply(body=one.soap(service, message.body, message.caller))

    recorded = {name: _recorded(auditor, name, handler, _interaction_failure) for name in one.transactions}
    return Operation(
        name=one.transactions[0],
        action=one.action,
        response_action=one.response_action,
        body=one.body,
        handler=lambda message: recorded[one.transaction_of(message.body)](message),
    )


def _interaction_failure(error: RegistryError) -> bytes:
    """HL7 v3 has no registry response; what its own acknowledgement cannot say is a fault."""
    raise sender(error.context)


def repository_operations(repository: Repository, auditor: Auditor) -> tuple[Operation, ...]:
    """The transactions of the Document Repository."""

    def retrieve(message: Message) -> Reply:
        answer = iti43.soap(repository, message.body, message.caller)
        parts = tuple(
            OutgoingPart(content_id=cid, content_type=kind, length=length, chunks=octets)
            for cid, kind, length, octets in answer.parts
        )
        return Reply(body=answer.body, parts=parts)

    def remove(message: Message) -> Reply:
        return Reply(body=iti86.soap(repository, message.body, message.caller))

    operation = partial(_operation, auditor)
    return (
        _provide_and_register(auditor, repository),
        operation(
            "ITI-43",
            ACTIONS["ITI-43"],
            f"{{{XDS_B}}}RetrieveDocumentSetRequest",
            retrieve,
            mtom=True,
            failure=_retrieve_failure,
        ),
        operation("ITI-86", ACTIONS["ITI-86"], f"{{{RMD}}}RemoveDocumentsRequest", remove),
    )


def _provide_and_register(auditor: Auditor, repository: Repository) -> Operation:
    """ITI-41, which a Document Recipient takes as well. ITI TF-1: 15"""

    def provide(message: Message) -> Reply:
        return Reply(body=iti41.soap(repository, message.body, message.parts, message.caller))

    return _operation(
        auditor,
        "ITI-41",
        ACTIONS["ITI-41"],
        f"{{{XDS_B}}}ProvideAndRegisterDocumentSetRequest",
        provide,
        mtom=True,
        documents=f"{{{XDS_B}}}Document",
    )


def _operation(
    auditor: Auditor,
    name: str,
    action: str,
    body: str,
    handler: Callable[[Message], Reply],
    *,
    mtom: bool = False,
    documents: str = "",
    response_action: str = "",
    failure: Failure = _submission_failure,
) -> Operation:
    """A transaction answers with its action and `Response`, where the standard does not name another.

    ITI TF-2: 3.18.7, 3.41.5, 3.42.5, 3.43.5
    """
    return Operation(
        name=name,
        action=action,
        response_action=response_action or f"{action}Response",
        body=body,
        mtom=mtom,
        documents=documents,
        handler=_recorded(auditor, name, handler, failure),
    )


def _recorded(
    auditor: Auditor, name: str, handler: Callable[[Message], Reply], failure: Failure
) -> Callable[[Message], Reply]:
    """The handler, each of whose answers waits for its audit record; without one it is not given."""

    def answered(message: Message) -> Reply:
        sent = auditor.as_sent(name, message)
        is_about(name)
        try:
            auditor.check()
            reply = handler(message) if permits(message.caller, name) else Reply(body=failure(_NOT_PERMITTED))
        except StorageFailed as problem:
            reply = Reply(body=failure(storage_error(problem)))
        except RegistryNotAvailable as problem:
            reply = Reply(body=failure(problem.error))
        except Exception as problem:
            auditor.broken(name, sent, problem)
            raise
        try:
            auditor.answered(name, sent, reply.body)
        except StorageFailed as problem:
            _discard(reply)
            return Reply(body=failure(storage_error(problem)))
        return reply

    return answered


def _discard(reply: Reply) -> None:
    """Nobody reads the documents of an answer that is not given."""
    for part in reply.parts:
        close = getattr(part.chunks, "close", None)
        if close is not None:
            close()


class XdsDoor:
    """`POST` on the SOAP paths, in front of the framework that serves everything else.

    Every stored query and every document comes through here, and a framework's request takes longer than
    the question to the database.
    """

    def __init__(
        self,
        behind: WSGIApplication,
        actors: Actors,
        caller_of: CallerOfMessage,
        *,
        log: LogRequest,
        large: LargeMessages,
    ) -> None:
        """`behind` gets all other requests; `large` is for all doors of the process."""
        self._behind, self._caller_of, self._log = behind, caller_of, log
        served = _endpoints(actors, large)
        self._endpoints = {f"{_PREFIX}/{name}": endpoint for name, endpoint in served.items()}
        aliases = service_paths(actors.settings).items()
        self._endpoints |= {path: served[name] for path, name in aliases if name in served}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        endpoint = self._endpoints.get(path) if environ["REQUEST_METHOD"] == "POST" else None
        if endpoint is None:
            return self._behind(environ, start_response)
        began = time.perf_counter()
        try:
            answer = endpoint.answer(_request(environ, self._caller_of))
        except StorageFailed:  # who asks, or that it was refused, could not be noted
            answer = _not_now("what is asked cannot be noted now")
        except Exception as problem:  # noqa: BLE001 - the client gets a correlation id, the log the rest
            answer = _unexpected(problem)
        self._log("POST", path, answer.status, began)
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(answer.headers))
        return answer.body


def _request(environ: WSGIEnvironment, caller_of: CallerOfMessage) -> HttpRequest:
    return HttpRequest(
        content_type=environ.get("CONTENT_TYPE", ""),
        content_encoding=environ.get("HTTP_CONTENT_ENCODING", ""),
        content_length=get_content_length(environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")),
        body=_Body(get_input_stream(environ)),
        caller_of=partial(caller_of, environ),
    )


def _unexpected(problem: Exception) -> HttpAnswer:
    return _not_now(f"unexpected failure, reported as {log_unexpected(problem)}")


def _not_now(sentence: str) -> HttpAnswer:
    body = f"{sentence}\n".encode()
    headers = (("Content-Type", "text/plain"), ("Content-Length", str(len(body))), ("Retry-After", "5"))
    return HttpAnswer(status=503, headers=headers, body=[body])


def xds_blueprint(actors: Actors) -> flask.Blueprint:
    """`GET ?wsdl` and `?xsd=NAME` describe what `XdsDoor` serves."""
    door = flask.Blueprint("xds", __name__, url_prefix=_PREFIX)

    # POST is never asked for here; with it the framework tells other methods truly what is allowed.
    @door.route(f"/<any({', '.join(ENDPOINTS)}):name>", methods=["GET", "POST"])
    def describe(name: str) -> flask.Response:
        if ENDPOINTS[name] not in actors.settings.played:
            sentence = f"{actors.settings.role_missing(ENDPOINTS[name])}\n"
            return flask.Response(sentence, status=404, content_type="text/plain")
        address = f"{actors.settings.public_url}{_PREFIX}/{name}"
        return flask.Response(_description(name, address), content_type="text/xml; charset=utf-8")

    return door


class _Body:
    """The body of a request; one that breaks off, or is not HTTP, is refused as such."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        try:
            return self._stream.read(size)
        except HTTPException as problem:
            raise HttpRefusal(problem.code or 400, "the body of the request breaks off") from None


def _endpoints(actors: Actors, large: LargeMessages) -> Mapping[str, Endpoint]:
    def on_error(correlation_id: str, problem: BaseException) -> None:
        log_unexpected(problem, correlation_id)

    wire, limits = WIRES[wire_name(actors.settings)], soap_limits(actors.settings)
    statuses = {**HTTP_STATUS, FaultCode.SENDER: actors.settings.fault_status}
    return {
        name: Endpoint(operations, wire=wire, limits=limits, on_error=on_error, statuses=statuses, large=large)
        for name, operations in _operations(actors)
    }


def _operations(actors: Actors) -> Iterator[tuple[str, tuple[Operation, ...]]]:
    """What the doors of this process serve."""
    if actors.registry is not None:
        patients = patient_operations(actors.registry, actors.auditor)
        yield "registry", (*registry_operations(actors.registry, actors.auditor), *patients)
        if actors.records is None:
            yield "patients", patients
        else:
            of_door = partial(record_door_operations, actors.records, actors.auditor)
            yield "patients", (*patients, *of_door("patients"))
            yield "habilitations", of_door("habilitations")
        broker = broker_of(actors.settings, actors.registry)
        if broker is not None:
            address = f"{actors.settings.public_url}{_PREFIX}/subscriptions"
            yield "subscriptions", subscription_operations(broker, actors.auditor, address=address)
    if actors.repository is not None:
        yield "repository", repository_operations(actors.repository, actors.auditor)
    if actors.recipient is not None:
        # One record for a submission to a recipient, in the unit of work that takes it: also where that is elsewhere.
        auditor = replace(actors.auditor, recorded_with_change=RECORDED_WITH_CHANGE)
        yield "recipient", (_provide_and_register(auditor, actors.recipient),)


def soap_limits(settings: Settings) -> SoapLimits:
    """What the settings allow; a document and a root part of the largest size always fit into a message."""
    root, document = settings.max_root_mb * MEGABYTE, settings.max_document_mb * MEGABYTE
    return SoapLimits(
        root=root,
        document=document,
        total=max(settings.max_message_mb * MEGABYTE, document + root + MEGABYTE),
        parts=settings.max_parts,
        header=settings.max_part_header_kb * 1000,
    )


def _description(name: str, address: str) -> bytes:
    if "wsdl" in {key.lower() for key in flask.request.args}:
        return wsdl(name, address=address)
    try:
        return xsd(flask.request.args.get("xsd", ""), address=address)
    except FileNotFoundError:
        flask.abort(404)
