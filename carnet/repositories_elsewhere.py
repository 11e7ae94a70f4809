"""Documents that repositories in other processes keep, for the FHIR door of their registry. MHD 2:3.68."""

import http.client
from collections.abc import Generator, Iterator
from typing import NoReturn
from urllib.parse import SplitResult

import structlog

from access_policy.caller import Caller
from carnet.caller_json import write_caller
from carnet.elsewhere_settings import read_repositories
from carnet.exchange import base_url, connection_to
from carnet.internal_calls import KEEPER_PREFIX, write_call
from carnet.internal_proof import Shown
from carnet.settings import Settings
from fhir_facade.iti68_retrieve_document import RetrievedDocument
from fhir_facade.operation_outcome import not_found, unavailable

_CHUNK = 256 * 1024


class CutOff(OSError):
    """A repository ended its answer before the document was whole: so does ours."""


class RepositoriesElsewhere:
    """Fetches documents from the repositories of the settings; nothing is kept here."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet. Raises SettingsError."""
        self._shown, self._timeout = Shown(settings), float(settings.registry_timeout_seconds)
        found = read_repositories(settings.repositories)
        self._urls = {oid: base_url(url, self._shown.context) for oid, url in found.items()}

    def retrieve(self, keeper: str, unique_id: str, caller: Caller) -> RetrievedDocument | None:
        """A document by the repositoryUniqueId of its keeper, its octets as they arrive; None: no such repository.

        Raises FhirProblem 404 where the repository says so, 503 for any other answer and for none.
        """
        url = self._urls.get(keeper)
        if url is None:
            return None
        connection = connection_to(url, timeout=self._timeout, context=self._shown.context)
        try:
            response = self._asked(connection, url, unique_id, caller)
        except (OSError, http.client.HTTPException) as problem:
            connection.close()
            _unavailable(url, type(problem).__name__)
        if response.status != 200:
            connection.close()
            if response.status == 404:
                raise not_found()
            _unavailable(url, f"status {response.status}")
        return _document(keeper, unique_id, response, connection)

    def _asked(
        self, connection: http.client.HTTPConnection, url: SplitResult, unique_id: str, caller: Caller
    ) -> http.client.HTTPResponse:
        call = write_call(caller=write_caller(caller), uniqueId=unique_id)
        headers = {**self._shown.headers, "Content-Type": "application/json"}
        connection.request("POST", f"{url.path}{KEEPER_PREFIX}/document", body=call, headers=headers)
        return connection.getresponse()


class _Arriving:
    """The octets of an answer; `close` ends its connection."""

    def __init__(self, response: http.client.HTTPResponse, connection: http.client.HTTPConnection, size: int) -> None:
        self._connection, self._chunks = connection, _read(response, size)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            self._connection.close()
            raise

    def close(self) -> None:
        self._chunks.close()
        self._connection.close()


def _read(response: http.client.HTTPResponse, size: int) -> Generator[bytes, None, None]:
    """Raises CutOff."""
    left = size
    while left:
        try:
            chunk = response.read(min(left, _CHUNK))
        except (OSError, http.client.HTTPException) as problem:
            raise CutOff("the repository ended its answer") from problem
        if not chunk:
            raise CutOff("the repository ended its answer")
        left -= len(chunk)
        yield chunk


def _document(
    keeper: str, unique_id: str, response: http.client.HTTPResponse, connection: http.client.HTTPConnection
) -> RetrievedDocument:
    size = int(response.getheader("Content-Length", "0"))
    return RetrievedDocument(
        unique_id=unique_id,
        repository_unique_id=keeper,
        mime_type=response.getheader("Content-Type", "application/octet-stream"),
        size=size,
        etag=response.getheader("ETag", ""),
        octets=_Arriving(response, connection, size),
    )


def _unavailable(url: SplitResult, problem: str) -> NoReturn:
    structlog.get_logger().warning("repository not available", url=url.geturl(), problem=problem)
    raise unavailable()
