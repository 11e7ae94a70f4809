"""The operations of an endpoint as a spyne application, with our envelope as its protocol.

spyne holds the registry of operations and runs the pipeline with its events; what its own SOAP
protocols cannot do (dispatch by wsa:Action, WS-Addressing, MTOM, streaming) is done by `soap`.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from soap import dispatch, spyne_compatibility
from soap.envelope import Envelope, read_envelope, write_envelope, write_fault
from soap.faults import HttpRefusal, SoapFault, unexpected
from soap.message import IncomingPart, Message, Operation, Reply
from soap.wire import Wire
from soap.xop import check_includes
from xds.xml import XmlLimits

spyne_compatibility.prepare()

from spyne import Application, Fault, MethodContext, ServiceBase, rpc  # noqa: E402 - after its surroundings
from spyne.model.primitive import AnyXml  # noqa: E402
from spyne.protocol import ProtocolBase  # noqa: E402
from spyne.server import ServerBase  # noqa: E402

_NAMESPACE = "urn:carnet:soap"

OnError = Callable[[str, BaseException], None]
CallerOf = Callable[[etree._Element], Any]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request on its way through the pipeline."""

    caller_of: CallerOf
    caller: Any = None
    http_action: str = ""
    charset: str | None = None
    is_mtom: bool = False
    root_id: str = ""
    parts: Iterable[IncomingPart] = ()
    envelope: Envelope | None = None
    operation: Operation | None = None
    reply: Reply | None = None
    fault: SoapFault | None = None
    refusal: HttpRefusal | None = None

    @property
    def message_id(self) -> str:
        return "" if self.envelope is None else self.envelope.addressing.message_id


class _Carrier(Fault):  # type: ignore[misc]
    """Takes a SoapFault or an HttpRefusal through spyne's pipeline."""

    def __init__(self, problem: SoapFault | HttpRefusal) -> None:
        super().__init__("Client", problem.reason)
        self.problem = problem


class _EnvelopeProtocol(ProtocolBase):  # type: ignore[misc]
    """SOAP 1.2 with WS-Addressing in place of spyne's own."""

    def __init__(self, operations: Sequence[Operation], *, wire: Wire, limits: XmlLimits) -> None:
        super().__init__()
        self._operations, self._wire, self._limits = operations, wire, limits

    def create_in_document(self, ctx: Any, _encoding: str | None = None) -> None:
        exchange: Exchange = ctx.udc
        try:
            exchange.envelope = read_envelope(
                b"".join(ctx.in_string),
                wire=self._wire,
                limits=self._limits,
                charset=exchange.charset,
                mtom=exchange.is_mtom,
            )
            exchange.caller = exchange.caller_of(exchange.envelope.root)
        except SoapFault as fault:
            raise _Carrier(fault) from None
        ctx.in_document = exchange.envelope.root

    def decompose_incoming_envelope(self, ctx: Any, _message: Any) -> None:
        exchange: Exchange = ctx.udc
        envelope = exchange.envelope
        assert envelope is not None  # noqa: S101 - create_in_document ran before
        try:
            operation = dispatch.operation_of(
                self._operations,
                action=envelope.addressing.action,
                http_action=exchange.http_action,
                body=str(envelope.body.tag),
                wire=self._wire,
            )
            check_includes(envelope.root, operation.documents, root_id=exchange.root_id)
        except SoapFault as fault:
            raise _Carrier(fault) from None
        exchange.operation = operation
        ctx.in_body_doc = envelope.body
        ctx.method_request_string = f"{{{_NAMESPACE}}}{_method_name(operation)}"

    def deserialize(self, ctx: Any, message: Any) -> None:
        ctx.in_object = ctx.in_body_doc

    def serialize(self, ctx: Any, message: Any) -> None:
        exchange: Exchange = ctx.udc
        if isinstance(ctx.out_error, _Carrier):
            problem = ctx.out_error.problem
            exchange.fault = problem if isinstance(problem, SoapFault) else None
            exchange.refusal = problem if isinstance(problem, HttpRefusal) else None
        ctx.out_document = exchange

    def create_out_string(self, ctx: Any, charset: str | None = None) -> None:
        exchange: Exchange = ctx.udc
        if exchange.fault is not None:
            ctx.out_string = [write_fault(exchange.fault, relates_to=exchange.message_id)]
        elif exchange.reply is not None and exchange.operation is not None:
            action = exchange.operation.response_action
            ctx.out_string = [write_envelope(exchange.reply.body, action=action, relates_to=exchange.message_id)]
        else:
            ctx.out_string = [b""]


class _Server(ServerBase):  # type: ignore[misc]
    transport = "urn:carnet:http"


class Pipeline:
    """A spyne application for some operations; threads may share it."""

    def __init__(self, operations: Sequence[Operation], *, wire: Wire, limits: XmlLimits, on_error: OnError) -> None:
        def protocol() -> _EnvelopeProtocol:
            return _EnvelopeProtocol(operations, wire=wire, limits=limits)

        methods = {_method_name(operation): _method(operation, on_error) for operation in operations}
        service = type("Transactions", (ServiceBase,), methods)
        self._on_error = on_error
        self._server = _Server(
            Application([service], tns=_NAMESPACE, name="carnet", in_protocol=protocol(), out_protocol=protocol())
        )

    def run(self, exchange: Exchange, root: bytes) -> bytes:
        """Take one request through; the exchange holds reply, fault or refusal, the result is the envelope."""
        context = MethodContext(self._server, MethodContext.SERVER)
        context.udc, context.in_string = exchange, [root]
        context = self._server.generate_contexts(context)[0]
        if context.in_error is None:
            self._server.get_in_object(context)
            self._server.get_out_object(context)
        else:
            context.out_error = context.in_error
        self._check_carried(context)
        self._server.get_out_string(context)
        envelope = b"".join(context.out_string)
        context.close()
        return envelope

    def fault(self, fault: SoapFault, exchange: Exchange) -> bytes:
        """The envelope of a fault found outside the pipeline."""
        return write_fault(fault, relates_to=exchange.message_id)

    def _check_carried(self, context: Any) -> None:
        """A fault that spyne made itself is a failure of ours."""
        if context.out_error is not None and not isinstance(context.out_error, _Carrier):
            context.out_error = _Carrier(_failure(context.out_error, self._on_error))


def _method_name(operation: Operation) -> str:
    return operation.name.lower().replace("-", "_")


def _method(operation: Operation, on_error: OnError) -> Any:
    """The operation as a method of a spyne service."""

    def call(ctx: Any, _body: Any) -> None:
        exchange: Exchange = ctx.udc
        message = Message(
            body=exchange.envelope.body if exchange.envelope else _body,
            operation=operation.name,
            caller=exchange.caller,
            parts=exchange.parts,
        )
        try:
            if not operation.documents:
                _read_to_the_end(exchange.parts)
            exchange.reply = operation.handler(message)
        except (SoapFault, HttpRefusal) as problem:
            raise _Carrier(problem) from None
        except Exception as problem:  # noqa: BLE001 - the caller gets a correlation id, the log the rest
            raise _Carrier(_failure(problem, on_error)) from None

    call.__name__ = _method_name(operation)
    return rpc(AnyXml, _returns=AnyXml, _body_style="bare")(call)


def _read_to_the_end(parts: Iterable[IncomingPart]) -> None:
    """A message that turns out broken is refused before its transaction changes anything, not after."""
    for part in parts:
        for _ in part:
            continue


def _failure(problem: BaseException, on_error: OnError) -> SoapFault:
    correlation_id = str(uuid.uuid4())
    on_error(correlation_id, problem)
    return unexpected(correlation_id)
