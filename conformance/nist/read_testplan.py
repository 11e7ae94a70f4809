"""Reading a test plan. A step child, an instruction or an expectation that is in no table is an error of the plan.

Children are read in document order, so an expectation behind the transaction element has no effect.
"""

from collections.abc import Mapping
from pathlib import Path

from lxml import etree

from conformance.failures import KitError, UnsupportedPlan
from conformance.nist.plan_place import Draft, Place, Reader, append, flag, ignore, known_children, text
from conformance.nist.read_instructions import read_instructions
from conformance.nist.replacement import replace_symbols
from conformance.nist.testplan import Plan, Step
from conformance.nist.transactions import TRANSACTIONS
from conformance.nist.xml import BadXml, elements, parse, text_of
from conformance.sentence import Sentence, sentence_of

_STATUSES = {status.lower(): status for status in ("Success", "Failure", "PartialSuccess", "Fault")}
_PLAN_CHILDREN = frozenset(("Test", "RegistryEndpoint", "PatientId", "Rule", "SUTInitiates", "TestStep"))


def read_plan(path: Path, *, external: Mapping[str, str] | None = None) -> Plan:
    """Read the plan of a section, the external parameters replaced in its text.

    Raises KitError; UnsupportedPlan when it needs something this runner does not know.
    """
    try:
        root = parse(path.read_bytes())
    except OSError as problem:
        raise KitError(
            Sentence(
                f"le plan {path} est illisible : {problem.strerror}",
                f"the plan {path} cannot be read: {problem.strerror}",
            )
        ) from None
    except BadXml as problem:
        raise KitError(
            Sentence(f"le plan {path} n'est pas du XML : {problem}", f"the plan {path} is no XML: {problem}")
        ) from None
    place = Place(path=path)
    if root.tag != "TestPlan":
        raise place.problem(
            root, f"trouvé l'élément {root.tag}, attendu TestPlan", f"found element {root.tag}, expected TestPlan"
        )
    replace_symbols(root, external or {})
    children = known_children(root, place, _PLAN_CHILDREN)
    return Plan(path=path, steps=tuple(_read_step(child, path) for child in children if child.tag == "TestStep"))


def _read_step(element: etree._Element, path: Path) -> Step:
    place = Place(path=path, step=element.get("id", ""))
    place.needed(element, "id")
    draft: Draft = {"id": place.step, "goals": ()}
    for child in elements(element):
        _read_step_child(dict(draft) if "instructions" in draft else draft, child, place)
    step = Step(**draft)
    if step.expected_error_message and not step.is_negative:
        raise place.problem(
            element,
            "ExpectedErrorMessage n'est permis que si le seul ExpectedStatus est Failure",
            "ExpectedErrorMessage is allowed only where the one ExpectedStatus is Failure",
        )
    return step


def _read_step_child(draft: Draft, child: etree._Element, place: Place) -> None:
    if child.tag in TRANSACTIONS and "instructions" in draft:
        raise place.problem(
            child,
            f"trouvé {child.tag}, mais l'étape a déjà une transaction",
            f"found {child.tag}, but the step has a transaction already",
        )
    if child.tag in TRANSACTIONS:
        draft["instructions"] = read_instructions(child, place)
    elif child.tag in _STEP_CHILDREN:
        _STEP_CHILDREN[child.tag](draft, child, place)
    elif child.tag.endswith("Transaction"):
        told = (
            f"{child.tag} n'est pas une transaction que connaît ce lanceur",
            f"{child.tag} is no transaction this runner knows",
        )
        raise UnsupportedPlan(sentence_of(place.problem(child, *told)))
    else:
        raise place.problem(
            child,
            f"trouvé l'élément {child.tag}, qu'aucune étape ne peut avoir",
            f"found element {child.tag}, which no step may have",
        )


def _read_statuses(draft: Draft, element: etree._Element, place: Place) -> None:
    words = [word.strip() for word in text_of(element).split(",")]
    for word in words:
        if word.lower() not in _STATUSES:
            known = ", ".join(_STATUSES.values())
            raise place.problem(
                element,
                f"ExpectedStatus : trouvé {word!r}, attendu {known}",
                f"ExpectedStatus: found {word!r}, expected {known}",
            )
    draft["expected_statuses"] = tuple(_STATUSES[word.lower()] for word in words)


_STEP_CHILDREN: Mapping[str, Reader] = {
    "ExpectedStatus": _read_statuses,
    "ExpectedErrorCode": text("expected_error_code"),
    "ExpectedErrorMessage": text("expected_error_message"),
    "Goal": append("goals", lambda element, _: " ".join(text_of(element).split())),
    "Rule": ignore,
    "Standard": ignore,
    "RegistryEndpoint": ignore,
    "NewPatientId": flag("new_patient_id"),
    "AltPatientId": flag("alternative_patient_id"),
}
