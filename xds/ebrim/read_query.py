"""Reading `query:AdhocQueryRequest`. ITI TF-2: 3.18.4.1.2."""

from lxml import etree

from xds.query_grammar import AdhocQuery
from xds.vocabulary import QUERY, RIM
from xds.xml import text_of

_OPTION, _QUERY = f"{{{QUERY}}}ResponseOption", f"{{{RIM}}}AdhocQuery"
_SLOT, _VALUE = f"{{{RIM}}}Slot", f"{{{RIM}}}ValueList/{{{RIM}}}Value"


def read_adhoc_query(body: etree._Element) -> AdhocQuery:
    """The query id, return type and Slots of a request that is valid against the schema."""
    option, query = body.find(_OPTION), body.find(_QUERY)
    slots = [] if query is None else list(query.iterchildren(_SLOT))
    return AdhocQuery(
        id="" if query is None else query.get("id", "").strip(),
        return_type="" if option is None else option.get("returnType", "").strip(),
        slots=tuple((slot.get("name", "").strip(), _values(slot)) for slot in slots),
    )


def _values(slot: etree._Element) -> tuple[str, ...]:
    return tuple(text_of(value) for value in slot.iterfind(_VALUE))
