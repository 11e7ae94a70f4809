"""Bodies that are not read to their end, or break off."""

import io

import pytest
from gunicorn.http.errors import ChunkMissingTerminator
from werkzeug.exceptions import ClientDisconnected

from carnet.request_body import LONGEST_REST, RequestBody, read_to_the_end


class _Breaking(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise ChunkMissingTerminator(b"")


def test_a_body_ends_where_its_length_says() -> None:
    body = RequestBody(io.BytesIO(b"0123456789"), 4)
    assert (body.is_read, body.read(3), body.read(3), body.is_read, body.read(3)) == (False, b"012", b"3", True, b"")


def test_a_body_without_length_ends_where_the_stream_does() -> None:
    body = RequestBody(io.BytesIO(b"a\nb"), None)
    assert (list(body), body.is_read) == ([b"a\n", b"b"], True)


@pytest.mark.parametrize("body", [RequestBody(io.BytesIO(b"0123"), 5), RequestBody(_Breaking(), None)])
def test_a_body_that_breaks_off_is_no_end(body: RequestBody) -> None:
    with pytest.raises(ClientDisconnected):
        while body.read(100):
            continue
    assert not body.drop_rest()


def answered(sent: bytes, length: int | None) -> tuple[dict[str, str], int]:
    """Headers of an answer given before the body was read, and how far the body was read after all."""
    stream, headers = io.BytesIO(sent), {}
    environ = {"wsgi.input": stream, "CONTENT_LENGTH": "" if length is None else str(length)}
    if length is None:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"

    def application(_environ, start_response):  # type: ignore[no-untyped-def]
        start_response("415 UNSUPPORTED MEDIA TYPE", [("Connection", "x"), ("A", "b")])
        return []

    def start_response(_status, given, _exc_info=None):  # type: ignore[no-untyped-def]
        headers.update(given)
        return lambda _: None

    read_to_the_end(application)(environ, start_response)  # type: ignore[arg-type]
    return headers, stream.tell()


@pytest.mark.parametrize("length", [0, 10_000, None])
def test_the_rest_of_a_body_is_read_so_that_the_connection_serves_on(length: int | None) -> None:
    sent = b"x" * (length or 0) if length is not None else b"x" * 10_000
    assert answered(sent, length) == ({"Connection": "x", "A": "b"}, len(sent))


def test_a_long_rest_is_not_read_and_the_connection_closed() -> None:
    assert answered(b"", LONGEST_REST + 1) == ({"Connection": "close", "A": "b"}, 0)
    headers, read = answered(b"x" * (LONGEST_REST + 10**6), None)
    assert headers["Connection"] == "close"
    assert LONGEST_REST <= read < LONGEST_REST + 10**6


def test_a_body_that_broke_off_closes_the_connection() -> None:
    assert answered(b"x", 10)[0]["Connection"] == "close"
