"""A probe: one thing a server must do, tried. Its body yields what is wrong; nothing yielded is a pass."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.server.target import Target


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong, in the two languages of the kit."""

    fr: str
    en: str


Failures = Iterator[Wrong]


def expected(found: object, fr: str, en: str = "", *, about: tuple[str, str] = ("", "")) -> Wrong:
    """`found …, expected …`; `en` is left out where both languages have the same word, `about` says of what."""
    shown = str(found) or "–"
    of = (f"{about[0]} : " if about[0] else "", f"{about[1]}: " if about[1] else "")
    return Wrong(f"{of[0]}trouvé {shown}, attendu {fr}", f"{of[1]}found {shown}, expected {en or fr}")


class NotTestable(Exception):
    """The server, or its configuration, gives no way to try; the texts say what is missing."""

    def __init__(self, fr: str, en: str) -> None:
        super().__init__(en)
        self.fr, self.en = fr, en


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`name` is `TOPIC.what`, as the requirements name it; the titles say what is tried."""

    name: str
    title_fr: str
    title_en: str
    failures: Callable[["Target"], Iterable[Wrong]]
