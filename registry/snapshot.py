"""The registry at one instant: finding, counting and reading, as far as it may be seen."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from access_policy.visibility import Visibility
from registry.criteria import ALL, Criteria, Form, Found, Frame, Joined, Page, SortKey
from registry.sql import find, order
from registry.sql.joined import joined
from registry.sql.places import Places
from xds.ebrim.read import read_registry_objects
from xds.ebrim.response import adhoc_query_response
from xds.metadata import RegistryObject
from xds.xml import XmlLimits, parse

_READ_AT_ONCE = 500
_OUR_OWN = XmlLimits(octets=2**30, elements=2**30)  # renderings, a few at once


class Snapshot:
    """The registry at one instant, as far as it may be seen."""

    def __init__(self, connection: Connection, visibility: Visibility) -> None:
        self.connection, self.visibility = connection, visibility
        self._places = Places(connection)

    def find(self, criteria: Criteria, page: Page = ALL, form: Form = Form.EBRIM) -> tuple[Found, ...]:
        return find.find(self.connection, self._places, criteria, self.visibility, page, form)

    def joined(self, criteria: Criteria, *, size: int, frame: Frame) -> Joined | None:
        """The first FHIR renderings, newest registration first, each in this frame; None: ask `find` and `count`."""
        return joined(self.connection, self._places, criteria, self.visibility, size=size, frame=frame)

    def objects(self, criteria: Criteria, page: Page = ALL) -> Iterator[RegistryObject]:
        """What is found as the objects that the renderings stand for."""
        found = self.find(criteria, page)
        for start in range(0, len(found), _READ_AT_ONCE):
            group = [one.rendering for one in found[start : start + _READ_AT_ONCE]]
            yield from read_registry_objects(parse(adhoc_query_response(group), limits=_OUR_OWN))

    def sorted_by(self, sort: Sequence[SortKey], found: Found) -> tuple[str, ...]:
        """The values by which an object has its place in this order."""
        return order.values_of(self.connection, sort, found)

    def count(self, criteria: Criteria) -> int:
        return find.count(self.connection, self._places, criteria, self.visibility)
