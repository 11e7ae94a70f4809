"""Which transaction a message runs. WS-Addressing SOAP Binding: 6.4.1, ITI TF-2x: V.3.2.

Several transactions share one body element, so the body alone decides only where it is unambiguous
and the wire profile allows it.
"""

from collections.abc import Sequence

from soap.faults import action_not_supported, header_required, invalid_header, one_of, sender, shown
from soap.message import Operation
from soap.wire import Wire


def operation_of(operations: Sequence[Operation], *, action: str, http_action: str, body: str, wire: Wire) -> Operation:
    """The operation that the headers and the body name together. Raises SoapFault."""
    if wire.action_may_differ:
        return _tolerant(operations, action=action, http_action=http_action, body=body, wire=wire)
    if not action:
        raise header_required("Action")
    if http_action and http_action != action:
        raise invalid_header(
            f"action of the Content-Type: found {shown(http_action)}, expected the wsa:Action {shown(action)}",
            "ActionMismatch",
        )
    found = _by_action(operations, action)
    if found is None:
        raise action_not_supported(action, _actions(operations))
    if found.body != body:
        raise invalid_header(f"Body: found {shown(body)}, expected {found.body} with {action}", "ActionMismatch")
    return found


def _tolerant(operations: Sequence[Operation], *, action: str, http_action: str, body: str, wire: Wire) -> Operation:
    """wsa:Action, a known wrong one, the HTTP action; at last the body, where one operation alone has it."""
    fitting = [operation for operation in operations if operation.body == body]
    for name in (action, wire.action_aliases.get(action, ""), http_action):
        found = _by_action(fitting, name)
        if found is not None:
            return found
    if action and not fitting:
        raise action_not_supported(action, _actions(operations))
    if len(fitting) == 1:
        return fitting[0]
    raise sender(
        f"neither an action nor the Body says which transaction is meant: found the Body {shown(body)}, "
        f"expected the wsa:Action {one_of(_actions(fitting or operations))}"
    )


def _actions(operations: Sequence[Operation]) -> list[str]:
    return [operation.action for operation in operations]


def _by_action(operations: Sequence[Operation], action: str) -> Operation | None:
    return next((operation for operation in operations if operation.action == action), None)
