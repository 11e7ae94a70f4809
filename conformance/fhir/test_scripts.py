"""FHIR TestScripts: what a server declares is tried, what it does not declare is skipped. FHIR R4 TestScript."""

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.failures import KitError
from conformance.fhir.client import Answer, Client, NotWritten
from conformance.fhir.outcomes import CaseOutcome
from conformance.fhir.path_expressions import Unsupported, evaluate, is_true
from conformance.sentence import NOTHING_SAID, Sentence, expected, french, sentence_of

Resource = Mapping[str, Any]
_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_TYPE = re.compile(r"[A-Z][a-z][A-Za-z]*\Z")
_VERSIONS = "http://ignixa.io/testscript/fhirVersions"
_CAPABILITY = "http://ignixa.io/testscript/requiresCapability"
_PLAYED = ("assert", "operation")
_METHODS = {
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "batch": "POST",
    "transaction": "POST",
}
_INTERACTIONS = {"search": "search-type", "history": "history-instance"}
_OF_SYSTEM = ("batch", "transaction", "capabilities")
_RESPONSES = {
    "okay": (200, 201, 204),
    "created": (201,),
    "noContent": (204,),
    "notModified": (304,),
    "bad": (400,),
    "forbidden": (403,),
    "notFound": (404,),
    "methodNotAllowed": (405,),
    "conflict": (409,),
    "gone": (410,),
    "preconditionFailed": (412,),
    "unprocessable": (422,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One file: its name, and the TestScript."""

    name: str
    resource: Resource


def read_scripts(kit: Path) -> list[Script]:
    """Every script of `fhir-rest/testscripts`, none without that folder. Raises KitError."""
    folder = kit / "fhir-rest" / "testscripts"
    scripts = []
    for file in sorted(folder.rglob("*.json")):
        try:
            scripts.append(
                Script(name=str(file.relative_to(folder).with_suffix("")), resource=json.loads(file.read_text()))
            )
        except ValueError as problem:
            raise KitError(
                Sentence(f"{file} : attendu un TestScript : {problem}", f"{file}: expected a TestScript: {problem}")
            ) from problem
    return scripts


def run_script(client: Client, script: Script, patterns: Sequence[str] = ()) -> Iterator[CaseOutcome]:
    """Every test of a script whose name holds one of the patterns."""
    tests = [one for one in script.resource.get("test", ()) if _is_wanted(script, one, patterns)]
    if not tests:
        return
    capabilities = client.get("metadata").resource
    play = _Play(client=client, script=script.resource)
    before = _operations(script.resource.get("setup", {}))
    obstacle = _obstacle(script.resource, before, capabilities)
    failures = [] if obstacle else list(play.actions(script.resource.get("setup", {})))
    for test in tests:
        yield _tested(play, script, test, capabilities, obstacle, failures)
    if not obstacle:
        list(play.actions(script.resource.get("teardown", {})))


def _is_wanted(script: Script, test: Resource, patterns: Sequence[str]) -> bool:
    return not patterns or any(pattern in f"{script.name}/{test.get('name', '')}" for pattern in patterns)


def _tested(
    play: "_Play", script: Script, test: Resource, capabilities: Resource, obstacle: Sentence, failures: list[Sentence]
) -> CaseOutcome:
    began = time.perf_counter()
    skipped = obstacle or _obstacle(test, _operations(test), capabilities)
    if failures and not skipped:
        skipped = Sentence(f"sa préparation a échoué : {failures[0].fr}", f"its setup failed: {failures[0]}")
    found: tuple[Sentence, ...] = ()
    play.remarks = []
    if not skipped:
        try:
            found = tuple(play.actions(test))
        except Unsupported as problem:
            skipped = Sentence(
                f"FHIRPath que ce lanceur ne connaît pas : {problem}",
                f"FHIRPath that this runner does not know: {problem}",
            )
        except NotWritten as problem:
            skipped = sentence_of(problem)
    return CaseOutcome(
        suite=f"TestScript {script.name}",
        name=_name(script, test),
        title=_title(test),
        failures=() if skipped else found,
        remarks=tuple(play.remarks),
        skipped=skipped,
        seconds=time.perf_counter() - began,
    )


def _name(script: Script, test: Resource) -> Sentence:
    """By its name, which is English; in French by its number."""
    number = [id(one) for one in script.resource.get("test", ())].index(id(test)) + 1
    return Sentence(f"{script.name}, n° {number}", f"{script.name}/{test.get('name', '')}")


def _title(test: Resource) -> Sentence:
    """What its author calls it, in English; in French what it asks for."""
    asked = " ; ".join(f"{_method(one)} {_asked_url(one)}" for one in _operations(test))
    return Sentence(asked, test.get("description") or asked)


def _method(operation: Resource) -> str:
    method: str = operation.get("method", _METHODS.get(_code(operation), "GET"))
    return method.upper()


def _asked_url(operation: Resource) -> str:
    """As the script has it, its variables not filled."""
    url = operation.get("url") or ("metadata" if _code(operation) == "capabilities" else operation.get("resource", ""))
    return f"{url}{operation.get('params', '')}"


# --- what a server declares ------------------------------------------------------------------


def _operations(part: Resource) -> list[Resource]:
    return [one["operation"] for one in part.get("action", ()) if "operation" in one]


def _obstacle(part: Resource, operations: Sequence[Resource], capabilities: Resource) -> Sentence:
    """Why a part cannot be tried on this server; empty when it can."""
    for extension in part.get("extension", ()):
        value = str(extension.get("valueString", ""))
        if extension.get("url") == _VERSIONS and "4.0" not in value.split(","):
            return Sentence(f"il porte sur FHIR {value}", f"it is about FHIR {value}")
        if extension.get("url") == _CAPABILITY and not _declares(value, capabilities):
            return _not_declared(value)
    return next((text for one in operations if (text := _undeclared(one, capabilities))), NOTHING_SAID)


def _declares(expression: str, capabilities: Resource) -> bool:
    try:
        return is_true(evaluate(expression, capabilities))
    except Unsupported:
        return False


def _not_declared(what: str) -> Sentence:
    return Sentence(f"le serveur n'annonce pas {french(what)}", f"the server does not declare {what}")


def _of(what: Sentence, kind: str) -> Sentence:
    return Sentence(f"{what.fr} de {kind}", f"{what} of {kind}")


def _undeclared(operation: Resource, capabilities: Resource) -> Sentence:
    """The interaction, or the search parameter, that an operation uses and the CapabilityStatement does not name."""
    code = _code(operation)
    rest: Resource = next(iter(capabilities.get("rest", ())), {})
    if code in _OF_SYSTEM:
        known = {one.get("code") for one in rest.get("interaction", ())} | {"capabilities"}
        return NOTHING_SAID if code in known else _not_declared(code)
    if code.startswith("$"):
        return _not_declared(Sentence(f"l'opération {code}", f"the operation {code}"))
    url = str(operation.get("url", ""))
    kind = str(operation.get("resource") or urlsplit(url).path.strip("/").partition("/")[0])
    if not _TYPE.match(kind):
        return NOTHING_SAID
    declared = next((one for one in rest.get("resource", ()) if one.get("type") == kind), None)
    if declared is None:
        return _not_declared(kind)
    wanted = _INTERACTIONS.get(code, code)
    if wanted not in {one.get("code") for one in declared.get("interaction", ())}:
        return _of(_not_declared(wanted), kind)
    if code == "update" and "targetId" not in operation and not declared.get("updateCreate"):
        return _of(_not_declared("updateCreate"), kind)
    asked = re.findall(r"[?&](_id|[A-Za-z][\w-]*)", f"{url}{operation.get('params', '')}") if code == "search" else []
    names = {one.get("name") for one in declared.get("searchParam", ())}
    unknown = next((one for one in asked if one not in names), "")
    told = Sentence(f"le paramètre de recherche {unknown}", f"the search parameter {unknown}")
    return _of(_not_declared(told), kind) if unknown else NOTHING_SAID


def _code(operation: Resource) -> str:
    code = operation.get("type", {}).get("code")
    return str(code or {"GET": "read", "POST": "create"}.get(operation.get("method", ""), "read"))


# --- playing ---------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Play:
    """The answers and variables of one script while it is played."""

    client: Client
    script: Resource
    answers: dict[str, Answer] = field(default_factory=dict)
    last: Answer | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    remarks: list[Sentence] = field(default_factory=list)

    def actions(self, part: Resource) -> Iterator[Sentence]:
        """Play a setup, test or teardown; yields what is not as it was asserted."""
        for number, action in enumerate(part.get("action", ())):
            if not action.keys() & set(_PLAYED):
                raise Unsupported(f"action {sorted(action)}")
            if "operation" in action:
                self._operate(action["operation"])
                continue
            asserted = action["assert"]
            problem = self._problem(asserted)
            if problem and asserted.get("warningOnly"):
                self.remarks.append(problem.about(f"action {number + 1}"))
            elif problem:
                said = Sentence(f"action {number + 1}", f"action {number + 1}, {asserted.get('description', 'assert')}")
                yield problem.about(said)

    def _operate(self, operation: Resource) -> None:
        headers = {one["field"]: self._filled(one["value"]) for one in operation.get("requestHeader", ())}
        source = self._fixture(operation["sourceId"]) if "sourceId" in operation else None
        self.last = self.client.send(_method(operation), self._url(operation), source, headers)
        if "responseId" in operation:
            self.answers[operation["responseId"]] = self.last

    def _url(self, operation: Resource) -> str:
        target = self.answers.get(str(operation.get("targetId", "")))
        if target is not None:
            kind = f"{target.resource.get('resourceType')}/{target.resource.get('id')}"
            operation = {**operation, "url": kind}
        return self._filled(_asked_url(operation))

    def _fixture(self, name: str) -> Resource:
        for fixture in self.script.get("fixture", ()):
            if fixture.get("id") == name:
                found: Resource = json.loads(self._filled(json.dumps(fixture["resource"])))
                return found
        return self.answers[name].resource if name in self.answers else {}

    def _filled(self, text: str) -> str:
        return _VARIABLE.sub(lambda match: self._variable(match[1]), text)

    def _variable(self, name: str) -> str:
        if name == "runId":
            return self.run_id
        for variable in self.script.get("variable", ()):
            if variable.get("name") == name:
                return self._value_of(variable)
        return ""

    def _value_of(self, variable: Resource) -> str:
        answer = self.answers.get(str(variable.get("sourceId", "")))
        if answer is None:
            return str(variable.get("defaultValue", ""))
        if "headerField" in variable:
            return answer.headers.get(variable["headerField"].lower(), "")
        found = evaluate(variable.get("expression") or variable.get("path", ""), answer.resource)
        return str(found[0]) if found else str(variable.get("defaultValue", ""))

    def _problem(self, asserted: Resource) -> Sentence:
        """What of an assertion does not hold; empty when all does."""
        answer = self.answers.get(str(asserted.get("sourceId", "")), self.last)
        if answer is None:
            return Sentence("aucune réponse à examiner", "found no answer to look at")
        told = f"{answer.request}: HTTP {answer.status} {answer.told}".strip()
        if "response" in asserted and answer.status not in _RESPONSES.get(asserted["response"], ()):
            return expected(told, asserted["response"])
        if "responseCode" in asserted and str(answer.status) not in asserted["responseCode"].split(","):
            return expected(told, asserted["responseCode"])
        if "resource" in asserted and answer.resource.get("resourceType") != asserted["resource"]:
            return expected(answer.resource.get("resourceType"), asserted["resource"])
        if "headerField" in asserted:
            return self._compared([answer.headers.get(asserted["headerField"].lower(), "")], asserted)
        if "expression" in asserted:
            return self._compared(evaluate(self._filled(asserted["expression"]), answer.resource), asserted)
        return NOTHING_SAID

    def _compared(self, found: list[Any], asserted: Resource) -> Sentence:
        told = [str(one).lower() if isinstance(one, bool) else str(one) for one in found]
        if "value" not in asserted:
            return NOTHING_SAID if is_true(found) else expected(told, "true", about=asserted.get("expression", ""))
        value, operator = self._filled(asserted["value"]), asserted.get("operator", "equals")
        holds = {
            "equals": value in told,
            "notEquals": value not in told,
            "in": any(one in value.split(",") for one in told),
            "contains": any(value in one for one in told),
            "notContains": not any(value in one for one in told),
            "notEmpty": bool("".join(told)),
            "empty": not "".join(told),
        }
        if operator not in holds:
            raise Unsupported(f"operator {operator}")
        about = asserted.get("expression") or asserted.get("headerField", "")
        return NOTHING_SAID if holds[operator] else expected(told, f"{operator} {value}", about=about)
