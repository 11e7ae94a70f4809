"""The WSGI application: front doors, health, and nothing that knows a transaction."""

import time
from functools import partial
from wsgiref.types import WSGIApplication, WSGIEnvironment

import flask
import structlog
from werkzeug.exceptions import HTTPException

from access_policy.authentication import NO_OTHERS, VerifiedCallers
from access_policy.trust import Trust
from carnet.auditing import Auditor
from carnet.authentication import (
    CallerOfMessage,
    CallerOfRequest,
    LiveAuthenticator,
    PeerCertificate,
    peer_of,
    proved_caller,
)
from carnet.carried_caller import IsTrusted, or_carried
from carnet.clients import HEALTH
from carnet.cross_origin import CrossOrigin, origins
from carnet.documents_reach import DocumentsReach
from carnet.emergencies import Emergencies
from carnet.failures import log_unexpected
from carnet.fhir_answers import http_problem
from carnet.fhir_bodies import DocumentSizes, bound_bodies
from carnet.fhir_callers import proved_fhir_caller
from carnet.fhir_door import fhir_blueprint, fhir_elsewhere
from carnet.fhir_reader import FhirReader
from carnet.fhir_reads import FhirReads
from carnet.fhir_tokens import fhir_security, token_callers
from carnet.internal_door import internal_blueprint, is_one_of, shows
from carnet.keeper_door import keeper_blueprint
from carnet.listed_clients import ListedClients
from carnet.metrics import CONTENT_TYPE, documents_text
from carnet.open_callers import open_callers
from carnet.record_metrics import RecordMetrics
from carnet.record_wiring import log_seen_by
from carnet.repositories_elsewhere import RepositoriesElsewhere
from carnet.request_body import read_to_the_end
from carnet.roles import Role
from carnet.security_settings import check_security
from carnet.settings import SettingsError
from carnet.subscription_wiring import broker_of
from carnet.traffic import is_about
from carnet.trust_folder import TrustFolder
from carnet.wiring import Actors
from carnet.xds_door import MEGABYTE, XdsDoor, soap_limits, xds_blueprint
from registry.store import Registry
from repository.registration import RegistryNotAvailable
from soap.large_messages import OF_A_THREAD, LargeMessages
from storage import migrate
from storage.unit_of_work import StorageFailed


def application(
    actors: Actors, peer_certificate: PeerCertificate | None = None, others: VerifiedCallers = NO_OTHERS
) -> flask.Flask:
    """The application of one process. Raises SettingsError when callers could not be told apart.

    `peer_certificate` tells the certificate that a client has proved; without it only `--security open` is served.
    `others`: whom the other processes of the server have verified.
    """
    if peer_certificate is None:
        if actors.settings.security != "open":
            raise SettingsError("without client certificates only --security open is served")
        check_security(actors.settings)
    app = flask.Flask("carnet", static_folder=None)
    app.url_map.merge_slashes = False  # another path is not found, never redirected by a page with it inside
    app.register_blueprint(xds_blueprint(actors))
    of_message, of_request = _callers(actors, peer_certificate, others)
    reader = _reader(actors, of_request)
    large = LargeMessages(OF_A_THREAD * actors.settings.threads)
    app.register_blueprint(_fhir(actors, reader, large))
    is_trusted = _on_record(_is_trusted(actors, peer_certificate), actors.auditor, peer_certificate)
    if actors.registry is not None:
        app.register_blueprint(_internal(actors.registry, actors, is_trusted))
    if actors.repository is not None:
        is_open = actors.settings.security == "open"
        app.register_blueprint(keeper_blueprint(actors.repository, is_trusted, open_callers=is_open))
    documents = None if actors.repository is None else DocumentsReach(actors.repository.blobs)
    _add_health(app, actors, documents)
    _add_metrics(app, actors, documents)
    _add_log(app)
    app.register_error_handler(Exception, _unexpected)
    posts = XdsDoor(app.wsgi_app, actors, of_message, log=_log_request, large=large)
    doors = posts if reader is None else FhirReads(posts, reader, partial(_failed, app), _log_request)
    allowed = origins(actors.settings.fhir_origins)
    app.wsgi_app = read_to_the_end(CrossOrigin(doors, allowed) if allowed else doors)  # type: ignore[method-assign, assignment]  # as Flask documents it
    return app


def _reader(actors: Actors, caller_of: CallerOfRequest) -> FhirReader | None:
    """None where this process does not play the role."""
    if actors.registry is None or Role.FHIR not in actors.settings.played:
        return None
    limits = soap_limits(actors.settings)
    return FhirReader(
        registry=actors.registry,
        repository=actors.repository,
        base_url=f"{actors.settings.public_url}/fhir",
        caller_of=caller_of,
        auditor=actors.auditor,
        sizes=DocumentSizes(document=limits.document, total=limits.total, number=limits.parts),
        elsewhere=RepositoriesElsewhere(actors.settings).retrieve,
        security=fhir_security(actors.settings),
    )


def _fhir(actors: Actors, reader: FhirReader | None, large: LargeMessages) -> flask.Blueprint:
    if reader is None:
        return fhir_elsewhere(actors.settings.role_missing(Role.FHIR))
    broker = broker_of(actors.settings, reader.registry)
    door = fhir_blueprint(reader, seen_by=log_seen_by(actors.settings), broker=broker, desk=actors.records)
    bound_bodies(door, large)
    return door


def _failed(app: flask.Flask, environ: WSGIEnvironment, problem: Exception) -> WSGIApplication:
    """The answer to a request that failed before the framework had it.

    Where the framework cannot make out the host it knows no door, and none of the answers that a door has.
    """
    with app.request_context(environ):
        return app.make_response(app.handle_user_exception(flask.request.routing_exception or problem))


def _is_trusted(actors: Actors, peer_certificate: PeerCertificate | None) -> IsTrusted:
    """How a process of the same record proves that it is one: by the secret on loopback, else by certificate."""
    if peer_certificate is None:
        return shows(actors.internal_secret)
    return is_one_of(ListedClients(actors.settings.internal_clients), peer_certificate)


def _on_record(is_trusted: IsTrusted, auditor: Auditor, peer_certificate: PeerCertificate | None) -> IsTrusted:
    """The same; whoever asks at the door of these processes and is none of them is on record."""

    def is_one(environ: WSGIEnvironment) -> bool:
        trusted = is_trusted(environ)
        if not trusted:
            auditor.stranger(peer_of(environ, None if peer_certificate is None else peer_certificate(environ)))
        return trusted

    return is_one


def _internal(registry: Registry, actors: Actors, is_trusted: IsTrusted) -> flask.Blueprint:
    """A submission is at most three times as long in JSON as in XML."""
    largest, is_open = 3 * actors.settings.max_root_mb * MEGABYTE, actors.settings.security == "open"
    return internal_blueprint(registry, actors.auditor, is_trusted, largest=largest, open_callers=is_open)


def _callers(
    actors: Actors, peer_certificate: PeerCertificate | None, others: VerifiedCallers
) -> tuple[CallerOfMessage, CallerOfRequest]:
    """Whom SOAP and FHIR serve.

    With `--security open` on loopback nobody has to prove anything; `check_security` refuses any other way to start.
    """
    is_trusted = _is_trusted(actors, peer_certificate)
    if peer_certificate is None:
        tokens = token_callers(actors.settings, actors.units, lambda: Trust(()))
        told, told_by_request = open_callers(actors.settings, actors.auditor.refused, tokens)
        return or_carried(told, is_trusted, lambda _environ: None, open_callers=True), told_by_request
    trust = TrustFolder(actors.settings)
    authenticator = LiveAuthenticator(actors.settings, actors.units, trust, others)
    tokens = token_callers(actors.settings, actors.units, trust)
    emergencies = Emergencies(actors.auditor)
    of_request = emergencies.told(proved_fhir_caller(authenticator, tokens, peer_certificate, actors.auditor.refused))
    proved = emergencies.told(proved_caller(authenticator, peer_certificate, actors.settings, actors.auditor.refused))
    return or_carried(proved, is_trusted, peer_certificate, open_callers=False), of_request


def _add_health(app: flask.Flask, actors: Actors, documents: DocumentsReach | None) -> None:
    @app.get("/health/live")
    def live() -> flask.Response:
        return flask.Response("alive\n", content_type="text/plain")

    @app.get("/health/ready")
    def ready() -> flask.Response:
        """Metadata are served while documents are away: a balancer that took all hosts away would end that too."""
        problem = _not_ready(actors)
        away = "" if documents is None or documents.is_reached() else "documents out of reach"
        if actors.registry is None:
            problem = problem or away
        text, status = (problem, 503) if problem else (", ".join(filter(None, ("ready", away))), 200)
        return flask.Response(f"{text}\n", status=status, content_type="text/plain")


def _add_metrics(app: flask.Flask, actors: Actors, documents: DocumentsReach | None) -> None:
    """For a monitor: on the port of `--health`, or with `--security open`; not for the clients of the record."""

    records = RecordMetrics(actors)

    @app.get("/metrics")
    def metrics() -> flask.Response:
        if actors.settings.security != "open" and not flask.request.environ.get(HEALTH):
            flask.abort(404)
        missing = _not_ready(actors)
        text = actors.counts.text(is_ready=not missing)
        if documents is not None:
            text += documents_text(is_reached=documents.is_reached())
        if actors.registry is not None and not missing:
            text += records.text()
        return flask.Response(text, content_type=CONTENT_TYPE)


def _not_ready(actors: Actors) -> str:
    """What this process cannot do without and does not have now; empty when nothing is missing."""
    try:
        with actors.units.read() as connection:
            if not actors.units.is_accepting() or migrate.revision(connection) != migrate.newest():
                return "database not ready"
        if actors.registry_elsewhere is not None:
            actors.registry_elsewhere.ready()
    except StorageFailed:
        return "database not ready"
    except RegistryNotAvailable:
        return "registry not ready"
    return actors.auditor.problem()


def _add_log(app: flask.Flask) -> None:
    """Every request that Flask serves is logged."""

    @app.before_request
    def begin() -> None:
        flask.g.began = time.perf_counter()

    @app.after_request
    def end(response: flask.Response) -> flask.Response:
        is_about(f"{flask.request.method} {flask.request.url_rule}")
        _log_request(flask.request.method, str(flask.request.url_rule), response.status_code, flask.g.began)
        return response


def _log_request(method: str, route: str, status: int, began: float) -> None:
    """One line per request: method, path, status, milliseconds. Never the query, which may name a patient."""
    milliseconds = round((time.perf_counter() - began) * 1000, 1)
    structlog.get_logger().info("request", method=method, route=route, status=status, milliseconds=milliseconds)


def _unexpected(problem: Exception) -> flask.Response | HTTPException:
    """Anything not foreseen: a correlation id in log and answer, no detail. What is below /fhir speaks FHIR."""
    if isinstance(problem, HTTPException):
        return http_problem(problem) if flask.request.path.startswith("/fhir/") else problem
    text = f"unexpected failure, reported as {log_unexpected(problem)}\n"
    return flask.Response(text, status=503, headers={"Retry-After": "5"}, content_type="text/plain")
