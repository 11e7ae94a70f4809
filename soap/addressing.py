"""WS-Addressing headers of a request. WS-Addressing Core: 3, SOAP Binding: 3 and 6."""

from dataclasses import dataclass

from lxml import etree

from soap.faults import ADDRESSING, header_required, invalid_header
from xds.xml import text_of

ANONYMOUS = f"{ADDRESSING}/anonymous"
_SINGLE = ("Action", "MessageID", "To", "From", "ReplyTo", "FaultTo")
_BLOCK, _ADDRESS = f"{{{ADDRESSING}}}*", f"{{{ADDRESSING}}}Address"
_NAME = len(f"{{{ADDRESSING}}}")
_LONGEST_MESSAGE_ID = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """`action` and `message_id` are empty when absent."""

    action: str = ""
    message_id: str = ""


def read_addressing(header: etree._Element | None, *, action_may_lack: bool) -> Addressing:
    """Read and check the headers. Raises SoapFault for a repeated, malformed or missing one."""
    blocks: dict[str, etree._Element] = {}
    for block in () if header is None else header.iterchildren(_BLOCK):
        name = str(block.tag)[_NAME:]
        if name in blocks and name in _SINGLE:
            raise invalid_header(f"the header wsa:{name} stands more than once", "InvalidCardinality")
        blocks[name] = block
    for name in ("ReplyTo", "FaultTo"):
        _check_anonymous(blocks.get(name))
    action = _text(blocks.get("Action"))
    if not action and not action_may_lack:
        raise header_required("Action")
    return Addressing(action=action, message_id=_text(blocks.get("MessageID"))[:_LONGEST_MESSAGE_ID])


def _text(block: etree._Element | None) -> str:
    return "" if block is None else text_of(block)


def _check_anonymous(block: etree._Element | None) -> None:
    """Answers go back on the connection, nowhere else: a foreign address is never called."""
    address = None if block is None else block.find(_ADDRESS)
    if address is not None and text_of(address) not in ("", ANONYMOUS):
        raise invalid_header("only the anonymous reply address is served", "OnlyAnonymousAddressSupported")
