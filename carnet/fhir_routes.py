"""Where the interactions of the FHIR door are: paths with or without a slash behind them, and every other one."""

from typing import Any

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from fhir_facade.operation_outcome import FhirProblem

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class FhirBlueprint(flask.Blueprint):
    """A path is served with a slash behind it too; which methods a path has is told by `serve_nothing_else` alone."""

    def add_url_rule(self, rule: str, *arguments: Any, **options: Any) -> None:
        given = {"strict_slashes": False, "provide_automatic_options": False} | options
        super().add_url_rule(rule, *arguments, **given)


def serve_nothing_else(door: FhirBlueprint, sentence: str) -> None:
    """404 with this sentence, or 405 where the path has other methods; OPTIONS tells them. FHIR R4 3.1.0.1.5"""

    @door.route("/", defaults={"path": ""}, methods=(*METHODS, "OPTIONS"))
    @door.route("/<path:path>", methods=(*METHODS, "OPTIONS"))
    def nothing_here(path: str) -> flask.Response:
        allowed = _served(path)
        if allowed and flask.request.method == "OPTIONS":
            return flask.Response(status=204, headers={"Allow": ", ".join((*allowed, "OPTIONS"))})
        if allowed:
            raise MethodNotAllowed(valid_methods=(*allowed, "OPTIONS"))
        raise FhirProblem(404, "not-supported", sentence)


def _served(path: str) -> list[str]:
    """The methods with which something is at the path. An operation that is not known has none."""
    adapter = flask.current_app.create_url_adapter(flask.request)
    if adapter is None or "$" in path:
        return []
    found = []
    for method in METHODS:
        try:
            endpoint, _ = adapter.match(method=method)
        except HTTPException:
            continue
        if endpoint != flask.request.endpoint:
            found.append(method)
    return found
