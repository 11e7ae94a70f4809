"""The FHIR front door `/fhir`: negotiation and errors in one place, transactions elsewhere. FHIR R4 3.1.0."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from access_policy.caller import Caller
from access_policy.permission import permits
from audit.occurrence import Occurrence
from carnet.fhir_answers import http_problem, is_strict, refused, unexpected, versioned, versioned_answer
from carnet.fhir_batch import CALLER, batch, is_batch, is_reading, reading
from carnet.fhir_bodies import read_resource, resource_and_documents
from carnet.fhir_changes import add_changes
from carnet.fhir_documents import document_answer
from carnet.fhir_formats import XML, Format, answer, wanted
from carnet.fhir_log import add_log
from carnet.fhir_patients import add_patients
from carnet.fhir_questions import Parameters, is_form, question
from carnet.fhir_reader import SEARCHES, FhirReader
from carnet.fhir_routes import FhirBlueprint, serve_nothing_else
from carnet.fhir_subscriptions import add_subscriptions
from dmp.record_desk import RecordDesk
from fhir_facade import history, patient_transaction, validate
from fhir_facade import iti65_provide_document_bundle as iti65
from fhir_facade import iti66_find_document_lists as iti66
from fhir_facade import iti67_find_document_references as iti67
from fhir_facade import iti105_simplified_publish as iti105
from fhir_facade import iti106_generate_metadata as iti106
from fhir_facade.capability_statement import Served, capability_statement
from fhir_facade.conditional import NoneExist, asked_criteria, criteria_of, the_one
from fhir_facade.fhir_json import write_json
from fhir_facade.fhir_xml import write_xml
from fhir_facade.iti81_retrieve_atna_audit_event import SeenBy, only_own
from fhir_facade.open_api import open_api
from fhir_facade.operation_outcome import FhirProblem, not_found, unavailable
from fhir_facade.patient_transaction import is_of_patients
from fhir_facade.patients import Patients
from fhir_facade.security_statement import smart_configuration
from storage.unit_of_work import StorageFailed
from subscriptions.broker import Broker
from xds.identifiers import UUID_PREFIX

Read = Callable[..., bytes]
_FOUND_BY = {"DocumentReference": "ITI-67", "List": "ITI-66"}


def fhir_blueprint(
    reader: FhirReader, *, seen_by: SeenBy = only_own, broker: Broker | None = None, desk: RecordDesk | None = None
) -> flask.Blueprint:
    """The resources under the FHIR base; its URL is that of the reader in every URL, never the Host of a request."""
    registry, repository, base_url = reader.registry, reader.repository, reader.base_url
    auditor, security = reader.auditor, reader.security
    door = FhirBlueprint("fhir", __name__, url_prefix="/fhir")
    served = Served(
        takes_documents=repository is not None,
        takes_patients=registry.domain.patients_by_fhir,
        has_log=auditor.trail is not None,
        takes_subscriptions=broker is not None,
        security=security,
    )
    started = datetime.now(UTC).date().isoformat()

    def calling() -> Caller:
        """Who calls; of a part of a batch, who sent the batch."""
        found: Caller | None = flask.request.environ.get(CALLER)
        return reader.caller_of(flask.request.environ) if found is None else found

    def permitted(transaction: str, *letters: str) -> Caller:
        """The caller, who may run the transaction; `letters` of SMART for one interaction of it."""
        return reader.checked(calling(), transaction, *letters)

    @door.get("/metadata")
    def metadata() -> flask.Response:
        wanted()
        return answer(capability_statement(base_url=base_url, version=version("carnet"), date=started, served=served))

    @door.get("/.well-known/smart-configuration")
    def configuration() -> flask.Response:
        found = smart_configuration(security)
        if found is None:
            raise not_found()
        return flask.Response(found, content_type="application/json")

    @door.get("/openapi.json")
    def description() -> flask.Response:
        body = open_api(base_url=base_url, version=version("carnet"), served=served)
        return flask.Response(body, content_type="application/json")

    @door.post("/")
    def provide() -> flask.Response:
        wanted()
        caller = calling()
        with ExitStack() as body:
            with auditor.change(Occurrence(event="ITI-65"), caller):
                bundle, form = body.enter_context(sent(caller, "ITI-65"))
            return provided(bundle, form, caller)

    def sent(caller: Caller, transaction: str) -> AbstractContextManager[tuple[dict[str, Any], Format]]:
        """The resource of the body; its documents go to the store, if they are of who may submit any."""
        if repository is None or not permits(caller, transaction):
            return nullcontext(read_resource())
        return resource_and_documents(repository.blobs, reader.sizes)

    def provided(bundle: dict[str, Any], form: Format, caller: Caller) -> flask.Response:
        if is_batch(bundle):
            return answer(batch(bundle, caller, base_url=base_url))
        if is_reading(bundle):
            return answer(reading(bundle, caller, base_url=base_url))
        if is_of_patients(bundle):
            known = Patients(registry=registry, caller=reader.checked(caller, "ITI-104"), base_url=base_url)
            with auditor.change(Occurrence(event="ITI-104"), caller):
                return answer(patient_transaction.handle(known, bundle))
        reader.checked(caller, "ITI-65")
        if repository is None:
            raise FhirProblem(404, "not-supported", "this process has no repository, which takes documents")
        with auditor.change(Occurrence(event="ITI-65"), caller):
            write = write_xml if form is XML else write_json
            return answer(iti65.handle(registry, repository, bundle, caller, base_url=base_url, write_document=write))

    @door.get("/DocumentReference")
    @door.route("/DocumentReference/_search", methods=("GET", "POST"))
    def search() -> flask.Response:
        return _search("DocumentReference")

    @door.post("/DocumentReference")
    def publish() -> flask.Response:
        if is_form():
            return search()
        form = wanted()
        caller = permitted("ITI-105")
        if repository is None:
            raise FhirProblem(404, "not-supported", "this process has no repository, which takes documents")
        present, unless = _present(caller)
        if present:
            return read(present)
        with auditor.change(Occurrence(event="ITI-105"), caller), sent(caller, "ITI-105") as (resource, _):
            published = iti105.handle(registry, repository, resource, caller, base_url=base_url, unless=unless)
        if published.present:  # meanwhile
            return read(published.present)
        headers = {"Location": f"{published.location}/_history/1", **versioned(published.resource)}
        return answer(published.resource, 201, headers, form=form)

    def _present(caller: Caller) -> tuple[str, NoneExist | None]:
        """The document that `If-None-Exist` finds, or what must still not exist when it is made. FHIR R4 3.1.0.8.1"""
        text = flask.request.headers.get("If-None-Exist", "")
        if not text:
            return "", None
        permitted("ITI-67", "DocumentReference.s")
        query = criteria_of(text, "DocumentReference", base_url)
        with auditor.interaction(Occurrence(event="ITI-67"), caller):
            present = the_one(registry, query, caller, base_url=base_url)
        criteria = asked_criteria(registry, query, caller, base_url=base_url)
        return present, None if criteria is None else NoneExist(text=text, criteria=criteria)

    @door.post("/DocumentReference/$generate-metadata")
    def generate() -> flask.Response:
        form = wanted()
        caller = permitted("ITI-106")
        if repository is None:
            raise FhirProblem(404, "not-supported", "this process has no repository, which takes documents")
        with auditor.change(Occurrence(event="ITI-106"), caller):
            parameters, sent_as = read_resource(instead="; a larger document is provided with its metadata [ITI-65]")
            generated = iti106.handle(
                registry,
                repository,
                parameters,
                caller,
                base_url=base_url,
                content_type=sent_as.content_type,
                write_document=write_xml if sent_as is XML else write_json,
            )
        return answer(generated.resource, 200, {"Location": generated.location}, form=form)

    @door.post("/$validate", defaults={"resource": ""})
    @door.post("/<any(DocumentReference, List, Bundle):resource>/$validate")
    def validated(resource: str) -> flask.Response:
        form = wanted()
        permitted("ITI-65")
        return answer(validate.handle(resource, read_resource()[0], flask.request.args), form=form)

    @door.route("/List", methods=("GET", "POST"))
    @door.route("/List/_search", methods=("GET", "POST"))
    def search_lists() -> flask.Response:
        return _search("List")

    @door.get("/")
    @door.route("/_search", methods=("GET", "POST"))
    def search_system() -> flask.Response:
        """Of the one type that `_type` names: MHD asks about documents or Lists, never about both. FHIR R4 3.1.1.2"""
        asked = question()
        types = [value for name, value in asked[1] if name == "_type"]
        if len(types) != 1 or types[0] not in SEARCHES:
            raise FhirProblem(400, "required", f"_type: expected one of {', '.join(SEARCHES)}", "_type")
        return _search(types[0], asked)

    def _search(resource: str, asked: tuple[str, Parameters] | None = None) -> flask.Response:
        raw, parameters = asked or question()
        wanted()
        search = SEARCHES[resource]
        caller = permitted(search.transaction, f"{resource}.s")
        return reader.searched(search, caller, raw, parameters, strict=is_strict(), answer=answer)

    @door.get("/DocumentReference/<fhir_id>")
    def read(fhir_id: str) -> flask.Response:
        return _read("ITI-67", "DocumentReference.r", fhir_id, iti67.read)

    @door.get("/List/<fhir_id>")
    def read_list(fhir_id: str) -> flask.Response:
        return _read("ITI-66", "List.r", fhir_id, iti66.read)

    def _read(transaction: str, letter: str, fhir_id: str, handle: Read) -> flask.Response:
        wanted()
        caller = permitted(transaction, letter)
        with auditor.interaction(auditor.read("read", f"{UUID_PREFIX}{fhir_id}"), caller):
            return versioned_answer(handle(registry, fhir_id, caller, base_url=base_url))

    @door.get("/<any(DocumentReference, List):resource>/<fhir_id>/_history")
    def show_history(resource: str, fhir_id: str) -> flask.Response:
        wanted()
        caller, (_, parameters) = permitted(_FOUND_BY[resource], f"{resource}.r"), question()
        with auditor.interaction(auditor.read("read", f"{UUID_PREFIX}{fhir_id}"), caller):
            return answer(history.history(registry, resource, fhir_id, parameters, caller, base_url=base_url))

    @door.get("/<any(DocumentReference, List):resource>/<fhir_id>/_history/<version_id>")
    def vread(resource: str, fhir_id: str, version_id: str) -> flask.Response:
        one = partial(history.vread, resource=resource, version_id=version_id)
        return _read(_FOUND_BY[resource], f"{resource}.r", fhir_id, one)

    @door.get("/Binary/<fhir_id>")
    def retrieve(fhir_id: str) -> flask.Response:
        return document_answer(fhir_id, reader.document(fhir_id, permitted("ITI-68")))

    add_changes(door, registry, base_url=base_url, caller_of=permitted, auditor=auditor)
    if served.has_log:
        add_log(door, registry, base_url=base_url, caller_of=permitted, auditor=auditor, seen_by=seen_by)
    if broker is not None:
        add_subscriptions(door, registry, broker, base_url=base_url, caller_of=permitted, auditor=auditor)
    add_patients(door, registry, base_url=base_url, caller_of=permitted, auditor=auditor, desk=desk)
    serve_nothing_else(door, "this interaction is not served")
    door.register_error_handler(FhirProblem, refused)
    door.register_error_handler(StorageFailed, lambda _: refused(unavailable("transient")))
    door.register_error_handler(HTTPException, http_problem)
    door.register_error_handler(Exception, unexpected)
    return door


def fhir_elsewhere(sentence: str) -> flask.Blueprint:
    """The FHIR base of a process without the role: everything answers 404 with this sentence."""
    door = FhirBlueprint("fhir", __name__, url_prefix="/fhir")
    serve_nothing_else(door, sentence)
    door.register_error_handler(FhirProblem, refused)
    return door
