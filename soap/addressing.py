"""WS-Addressing headers of a request. WS-Addressing Core: 3, SOAP Binding: 3 and 6."""

from dataclasses import dataclass

from lxml import etree

from soap.faults import ADDRESSING, header_required, invalid_header
from xds.xml import text_of

ANONYMOUS = f"{ADDRESSING}/anonymous"
_SINGLE = ("Action", "MessageID", "To", "From", "ReplyTo", "FaultTo")
_LONGEST_MESSAGE_ID = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """`action` and `message_id` are empty when absent."""

    action: str = ""
    message_id: str = ""


def read_addressing(header: etree._Element | None, *, action_may_lack: bool) -> Addressing:
    """Read and check the headers. Raises SoapFault for a repeated, malformed or missing one."""
    blocks: dict[str, list[etree._Element]] = {name: [] for name in _SINGLE}
    for block in () if header is None else header.iterchildren(f"{{{ADDRESSING}}}*"):
        blocks.setdefault(etree.QName(block).localname, []).append(block)
    for name in _SINGLE:
        if len(blocks[name]) > 1:
            raise invalid_header(f"the header wsa:{name} stands more than once", "InvalidCardinality")
    for name in ("ReplyTo", "FaultTo"):
        _check_anonymous(blocks[name])
    action = _text(blocks["Action"])
    if not action and not action_may_lack:
        raise header_required("Action")
    return Addressing(action=action, message_id=_text(blocks["MessageID"])[:_LONGEST_MESSAGE_ID])


def _text(blocks: list[etree._Element]) -> str:
    return text_of(blocks[0]) if blocks else ""


def _check_anonymous(blocks: list[etree._Element]) -> None:
    """Answers go back on the connection, nowhere else: a foreign address is never called."""
    for block in blocks:
        address = block.find(f"{{{ADDRESSING}}}Address")
        if address is not None and text_of(address) not in ("", ANONYMOUS):
            raise invalid_header("only the anonymous reply address is served", "OnlyAnonymousAddressSupported")
