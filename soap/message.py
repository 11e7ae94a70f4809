"""What a transaction gets and gives: messages, parts, operations. Values only."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lxml import etree


class IncomingPart(Protocol):
    """A MIME part beside the root; iterate it for its decoded octets as they arrive, once."""

    @property
    def content_id(self) -> str: ...

    @property
    def content_type(self) -> str: ...

    def __iter__(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request: body element, the operation it runs, who calls, and the parts as a stream."""

    body: etree._Element
    operation: str
    caller: Any
    parts: Iterable[IncomingPart] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingPart:
    """A part of an answer. The Content-ID needs no percent-encoding; `length` in octets."""

    content_id: str
    content_type: str
    chunks: Iterable[bytes]
    length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: the serialised body element and, for each XOP include in it, a part."""

    body: bytes
    parts: tuple[OutgoingPart, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One transaction at an endpoint. ITI TF-2x: V.4

    `body` is the name `{namespace}local` of its request element; `mtom` whether the standard packages
    it as MTOM; `documents` the element that may hold XOP includes.
    """

    name: str
    action: str
    response_action: str
    body: str
    handler: Callable[[Message], Reply]
    mtom: bool = False
    documents: str = ""
