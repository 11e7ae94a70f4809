"""What a FHIR client sends: a resource in JSON or XML, compressed or not, and its documents, which are streamed."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import flask

from carnet.fhir_batch import CALLER
from carnet.fhir_formats import FORMATS, GZIP, JSON, VERSIONS, XML, Format, media_types
from fhir_facade.documents_apart import DocumentCutter, put_back
from fhir_facade.operation_outcome import FhirProblem
from fhir_facade.xds_issues import rejected
from repository.blob_store import BlobStore, IncomingBlob
from repository.iti41_provide_and_register_document_set_b import storage_error
from soap.faults import HttpRefusal
from soap.large_messages import LargeMessages

LARGEST_BODY = 16 * 10**6  # octets of a resource, which is kept in memory, without the documents that are cut from it
_CHUNK = 64 * 1024
_ROOM, _GROWS = "carnet.large_messages.room", "carnet.large_messages.grows"  # in the environment of a request
# Octets that one of a compressed body may grow to, once they are more than a few. Of what the corpora hold at most 20,
# of a table with the same row 200,000 times 294; zlib folds 1,027 spaces into one.
_UNFOLDED, _FEW = 300, 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSizes:
    """The most octets of one document, and of those of one request together, and how many these are at most."""

    document: int
    total: int
    number: int


def read_resource(*, instead: str = "") -> tuple[dict[str, Any], Format]:
    """The resource of the request body, and its format. Raises FhirProblem 400, 413 or 415.

    `instead`: what whoever sends a larger one may do.
    """
    form = _sent_format()
    return form.read(read_body(instead=instead)), form


@contextmanager
def resource_and_documents(blobs: BlobStore, sizes: DocumentSizes) -> Iterator[tuple[dict[str, Any], Format]]:
    """The same of who may submit: long documents are in the store, and discarded if not kept in the block.

    Raises FhirProblem 503 too, where the store takes none.
    """
    form = _sent_format()
    with ExitStack() as opened:

        def receive() -> IncomingBlob:
            return opened.enter_context(blobs.receive())

        cutter = DocumentCutter(
            grammar=form.grammar,
            receive=receive,
            resource=LARGEST_BODY,
            document=sizes.document,
            total=sizes.total,
            number=sizes.number,
            grows=_grows,
        )
        try:
            rest = cutter.rest(_chunks())
        except OSError as problem:
            raise rejected([storage_error(problem)], {}) from None
        resource = form.read(rest)
        put_back(resource, cutter.apart)
        yield resource, form


def _sent_format() -> Format:
    name, parameters = sent_type()
    found = FORMATS.get(name) if "/" in name else None
    if found is None or parameters.get("fhirversion", "") not in VERSIONS:
        raise FhirProblem(415, "not-supported", f"expected a body of type {JSON.content_type} or {XML.content_type}")
    return found


def sent_type() -> tuple[str, Mapping[str, str]]:
    """The media type of the request body, and its parameters. Raises FhirProblem 415 for what is not in UTF-8."""
    ((name, parameters),) = media_types(flask.request.headers.get("Content-Type", "").replace(",", " "))
    if parameters.get("charset", "utf-8") not in ("utf-8", "utf8"):
        raise FhirProblem(415, "not-supported", "expected UTF-8, the one charset of FHIR")
    return name, parameters


def read_body(*, most: int = LARGEST_BODY, instead: str = "") -> bytes:
    """The request body as it was before it was compressed. Raises FhirProblem 400, 413 or 415."""
    body = bytearray()
    for chunk in _chunks():
        body += chunk
        if len(body) > most:
            raise FhirProblem(413, "too-long", f"expected a body of at most {most} octets{instead}")
        _grows(len(body))
    return bytes(body)


def bound_bodies(door: flask.Blueprint, large: LargeMessages) -> None:
    """What is kept of the bodies of a door counts among the large messages of its process, until their answers."""

    @door.before_request
    def begin() -> None:
        if CALLER not in flask.request.environ:  # a part of a batch lies in the whole
            room = ExitStack()
            flask.request.environ |= {_ROOM: room, _GROWS: room.enter_context(large.one())}

    @door.teardown_request
    def end(_: BaseException | None) -> None:
        room: ExitStack | None = flask.request.environ.pop(_ROOM, None)
        if room is not None:
            room.close()


def _grows(octets: int) -> None:
    """So much of a body is kept. Raises FhirProblem 503 where there is no room for one more that is large."""
    try:
        flask.request.environ.get(_GROWS, _no_bound)(octets)
    except HttpRefusal as refusal:
        raise FhirProblem(refusal.status, "throttled", refusal.reason) from None


def _no_bound(octets: int) -> None:
    """Of a part of a batch."""


def _chunks() -> Iterator[bytes]:
    encoding = flask.request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", *GZIP):
        raise FhirProblem(415, "not-supported", "expected a body as it is, or compressed by gzip")
    stream = flask.request.stream
    chunks = iter(lambda: stream.read(_CHUNK), b"")
    return _decompressed(chunks) if encoding in GZIP else chunks


def _decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """In chunks of a size, none of them empty, whatever each would grow to."""
    stream, folded, unfolded = zlib.decompressobj(wbits=31), 0, 0
    try:
        for chunk in chunks:
            folded += len(chunk)
            piece = stream.decompress(chunk, _CHUNK)
            while piece:
                unfolded += len(piece)
                if unfolded > max(_FEW, _UNFOLDED * folded):
                    sentence = f"the compressed body grows to more than {_UNFOLDED} times its size: send it as it is"
                    raise FhirProblem(413, "too-costly", sentence)
                yield piece
                piece = stream.decompress(stream.unconsumed_tail, _CHUNK)
            if stream.unused_data:  # of which zlib would keep all that comes
                raise FhirProblem(400, "structure", "the compressed body goes on behind its end")
    except zlib.error:
        raise FhirProblem(400, "structure", "the body is not what its Content-Encoding says") from None
    if not stream.eof:
        raise FhirProblem(400, "structure", "the compressed body breaks off")
