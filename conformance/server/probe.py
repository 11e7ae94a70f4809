"""A probe: one thing a server must do, tried. Its body yields what is wrong; nothing yielded is a pass."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance import sentence
from conformance.sentence import Sentence

if TYPE_CHECKING:
    from conformance.server.target import Target


Failures = Iterator[Sentence]


def expected(found: object, fr: str, en: str = "", *, about: tuple[str, str] = ("", "")) -> Sentence:
    """`found …, expected …`; `en` is left out where both languages have the same word, `about` says of what."""
    return sentence.expected(found, Sentence(fr, en or fr), about=Sentence(*about))


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
    failures: Callable[["Target"], Iterable[Sentence]]
