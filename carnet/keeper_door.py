"""The door of a repository for the FHIR door of its registry: `/internal/repository`, shut to everybody else."""

import flask

from access_policy.caller import Caller
from carnet.caller_json import NoCaller, read_caller
from carnet.carried_caller import IsTrusted
from carnet.failures import log_unexpected
from carnet.internal_calls import KEEPER_PREFIX, BadCall, read_call, texts, write_call
from fhir_facade import iti68_retrieve_document as iti68
from fhir_facade.operation_outcome import FhirProblem
from repository.registration import RegistryNotAvailable
from repository.store import Repository

_LARGEST_CALL = 64 * 1024


def keeper_blueprint(repository: Repository, is_trusted: IsTrusted, *, open_callers: bool) -> flask.Blueprint:
    """Documents by uniqueId, for a caller whom the registry has proved; it is asked again whether they may read it."""
    door = flask.Blueprint("keeper", __name__, url_prefix=KEEPER_PREFIX)

    @door.post("/document")
    def document() -> flask.Response:
        if not is_trusted(flask.request.environ):
            return _refused(401, "expected the secret that registry and repository share, or a known certificate")
        if (flask.request.content_length or 0) > _LARGEST_CALL:
            return _refused(413, f"expected a call of at most {_LARGEST_CALL} octets")
        try:
            return _document(iti68.kept(repository, *_asked(open_callers=open_callers)))
        except (BadCall, NoCaller) as problem:
            return _refused(400, str(problem))
        except FhirProblem as problem:
            return _refused(problem.status, problem.code)
        except RegistryNotAvailable:
            return _refused(503, "the registry does not answer")
        except Exception as problem:  # noqa: BLE001 - the registry gets a correlation id, the log the rest
            return _refused(503, f"unexpected failure, reported as {log_unexpected(problem)}")

    return door


def _asked(*, open_callers: bool) -> tuple[str, Caller]:
    told = read_call(flask.request.get_data(cache=False))
    [unique_id] = texts([told.get("uniqueId")], "uniqueId")
    caller = read_caller(told.get("caller"))
    if caller.is_open and not open_callers:
        raise BadCall("caller: found one that nobody asked, expected one who proved who they are")
    return unique_id, caller


def _document(found: iti68.RetrievedDocument) -> flask.Response:
    headers = {"Content-Length": str(found.size), "ETag": found.etag}
    return flask.Response(found.octets, headers=headers, content_type=found.mime_type)


def _refused(status: int, sentence: str) -> flask.Response:
    return flask.Response(write_call(error=sentence), status=status, content_type="application/json")
