"""A probe: one thing a server must do, tried. Its body yields what is wrong; nothing yielded is a pass."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.server.target import Target


class NotTestable(Exception):
    """The server, or its configuration, gives no way to try; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`name` is `TOPIC.what`, as the requirements name it; the titles say what is tried."""

    name: str
    title_fr: str
    title_en: str
    failures: Callable[["Target"], Iterable[str]]
