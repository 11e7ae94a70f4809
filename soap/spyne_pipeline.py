"""The operations of an endpoint as a spyne application, inside our own envelope.

spyne holds the registry of operations and runs them, with its events; what its SOAP protocols cannot do
(dispatch by wsa:Action, WS-Addressing, MTOM, streaming) is done by `soap`, before and after.
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
    """Takes a SoapFault or an HttpRefusal through spyne."""

    def __init__(self, problem: SoapFault | HttpRefusal) -> None:
        super().__init__("Client", problem.reason)
        self.problem = problem


class _Server(ServerBase):  # type: ignore[misc]
    transport = "urn:carnet:http"


class Pipeline:
    """A spyne application for some operations; threads may share it."""

    def __init__(self, operations: Sequence[Operation], *, wire: Wire, limits: XmlLimits, on_error: OnError) -> None:
        methods = {_method_name(operation): _method(operation, on_error) for operation in operations}
        service = type("Transactions", (ServiceBase,), methods)
        self._operations, self._wire, self._limits, self._on_error = tuple(operations), wire, limits, on_error
        self._application = Application(
            [service], tns=_NAMESPACE, name="carnet", in_protocol=ProtocolBase(), out_protocol=ProtocolBase()
        )
        self._server = _Server(self._application)
        found = self._application.interface.service_method_map
        self._methods = {one.name: found[f"{{{_NAMESPACE}}}{_method_name(one)}"][0] for one in operations}

    def run(self, exchange: Exchange, root: bytes) -> bytes:
        """Take one request through; the exchange holds the reply, the result is its envelope.

        Raises SoapFault and HttpRefusal.
        """
        operation = self._dispatched(exchange, self._read(exchange, root))
        reply = self._called(exchange, operation)
        return write_envelope(reply.body, action=operation.response_action, relates_to=exchange.message_id)

    def fault(self, fault: SoapFault, exchange: Exchange) -> bytes:
        """The envelope of a fault."""
        return write_fault(fault, relates_to=exchange.message_id)

    def _read(self, exchange: Exchange, root: bytes) -> Envelope:
        """The envelope, and whose it is."""
        envelope = read_envelope(
            root, wire=self._wire, limits=self._limits, charset=exchange.charset, mtom=exchange.is_mtom
        )
        exchange.envelope = envelope
        exchange.caller = exchange.caller_of(envelope.root)
        return envelope

    def _dispatched(self, exchange: Exchange, envelope: Envelope) -> Operation:
        operation = dispatch.operation_of(
            self._operations,
            action=envelope.addressing.action,
            http_action=exchange.http_action,
            body=str(envelope.body.tag),
            wire=self._wire,
        )
        check_includes(envelope.root, operation.documents, root_id=exchange.root_id)
        self._wire.mend(envelope.body)
        exchange.operation = operation
        return operation

    def _called(self, exchange: Exchange, operation: Operation) -> Reply:
        """The transaction as spyne runs a method, with its events. A fault that spyne made is a failure of ours."""
        context = MethodContext(self._server, MethodContext.SERVER)
        context.udc, context.descriptor = exchange, self._methods[operation.name]
        self._application.process_request(context)
        context.close()
        problem, reply = context.out_error, exchange.reply
        vars(context).clear()  # its parts refer to it: the message would stay in memory until a collection finds them
        if problem is None and reply is not None:
            return reply
        raise problem.problem if isinstance(problem, _Carrier) else _failure(problem, self._on_error)


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
