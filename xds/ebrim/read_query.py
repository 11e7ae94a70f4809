"""Reading `query:AdhocQueryRequest`. ITI TF-2: 3.18.4.1.2."""

from collections.abc import Iterator
from itertools import islice

from lxml import etree

from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, RegistryError, Rejected
from xds.query_grammar import MAX_ALL_VALUES, MAX_PARAMETERS, AdhocQuery
from xds.vocabulary import QUERY, RIM
from xds.xml import text_of

_OPTION, _QUERY = f"{{{QUERY}}}ResponseOption", f"{{{RIM}}}AdhocQuery"
_SLOT, _VALUES = f"{{{RIM}}}Slot", f"{{{RIM}}}ValueList/{{{RIM}}}Value"
_MOST_ELEMENTS = MAX_ALL_VALUES + 1_000  # each value in a Value of its own, and the elements around them
_MOST_ELEMENTS_EXPLAINED = 1_000  # a query is answered within 100 ms, whatever is wrong with it
_LONG_NAME = 256  # characters of a rim:LongName


def read_adhoc_query(body: etree._Element) -> AdhocQuery:
    """The query id, return type and Slots of a request. Raises Rejected when it breaks the schema or is too large.

    A list of values may be longer than the 256 characters that the schema gives a `rim:Value`: the limit
    is that of a stored attribute, senders put whole lists into one Value, and the values themselves have
    their bounds. The texts of such Values are taken out of `body` before the schema judges the rest, and so is the
    returnType: of it, as of the parameters, the grammar tells everything that is wrong at once.
    """
    request = read_as_sent(body)
    for value in _long_values(body):
        value.text = None
    for option in body.iterfind(_OPTION):
        option.attrib.pop("returnType", "")
    findings = schema_findings(body, explained=_MOST_ELEMENTS_EXPLAINED)
    if findings:
        raise Rejected(RegistryError(code=ErrorCode.REGISTRY, context=str(finding)) for finding in findings)
    return request


def read_as_sent(body: etree._Element) -> AdhocQuery:
    """The same of a request that no schema has judged. Raises Rejected when it is too large."""
    if next(islice(body.iter(), _MOST_ELEMENTS, None), None) is not None:
        context = (
            f"AdhocQueryRequest: found more than {_MOST_ELEMENTS} elements, "
            f"expected at most {MAX_PARAMETERS} Slots and {MAX_ALL_VALUES} values"
        )
        raise Rejected([RegistryError(code=ErrorCode.REGISTRY, context=context)])
    option, query = body.find(_OPTION), body.find(_QUERY)
    slots = [] if query is None else list(query.iterchildren(_SLOT))
    return AdhocQuery(
        id="" if query is None else query.get("id", "").strip(),
        return_type="" if option is None else option.get("returnType", "").strip(),
        slots=tuple((slot.get("name", "").strip(), _values(slot)) for slot in slots),
    )


def _values(slot: etree._Element) -> tuple[str, ...]:
    return tuple(text_of(value) for value in slot.iterfind(_VALUES))


def _long_values(body: etree._Element) -> Iterator[etree._Element]:
    """Values of the query's own Slots with more text than a LongName has, comments in it joined to it."""
    for value in body.iterfind(f"{_QUERY}/{_SLOT}/{_VALUES}"):
        etree.strip_tags(value, etree.Comment)
        if len(value.text or "") > _LONG_NAME:
            yield value
