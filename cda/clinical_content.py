"""What a document says of a patient, as values: problems, allergies, treatments, vaccinations, results, prescriptions.

Entries are found by their IHE templates, in whichever section they stand. Reading never fails: what is absent or
null is empty. CI-SIS Modèles de contenus CDA, IHE PCC and PaLM.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cda.datatypes import CD, Element, attribute, child, children, read_cd
from cda.document import CDA, Document
from cda.schematron.nodes import Nodes

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_PCC = "1.3.6.1.4.1.19376.1.5.3.1.4"
_PROBLEM = f"{_PCC}.5"
_ALLERGY = f"{_PCC}.6"
_MEDICATION = f"{_PCC}.7"
_IMMUNIZATION = f"{_PCC}.12"
_MEASURE = f"{_PCC}.13.2"
_LABORATORY_RESULT = "1.3.6.1.4.1.19376.1.3.1.6"
_PRESCRIPTION_ITEM = "1.3.6.1.4.1.19376.1.9.1.3.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Times as the document writes them, HL7 TS; empty when it does not say."""

    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its UCUM unit, or a text where the document has one."""

    value: str = ""
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.value} {self.unit}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A problem, or an allergy; `is_absent` says that the patient does not have it."""

    code: CD | None
    text: str
    period: Period
    agent: CD | None = None
    is_absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Medication:
    """A medicine taken or prescribed."""

    product: CD | None
    name: str
    dose: Quantity
    route: CD | None
    period: Period


@dataclass(frozen=True, slots=True, kw_only=True)
class Vaccination:
    """A vaccination done, or with `is_absent` one that was not."""

    vaccine: CD | None
    name: str
    lot: str
    date: str
    is_absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A result of biology or a measure: what was observed, its value, its reference range as written."""

    code: CD | None
    text: str
    value: Quantity
    interpretation: CD | None
    date: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalContent:
    """Everything that is read of one document, in document order."""

    problems: tuple[Problem, ...]
    allergies: tuple[Problem, ...]
    treatments: tuple[Medication, ...]
    vaccinations: tuple[Vaccination, ...]
    results: tuple[Observation, ...]
    measures: tuple[Observation, ...]
    prescriptions: tuple[Medication, ...]


def read_clinical_content(document: Document) -> ClinicalContent:
    """Read the entries of a document; of a level 1 document there are none."""
    nodes = Nodes(document.clinical_document)
    texts = _Narrative(nodes)
    prescribed = _with_template(nodes, _PRESCRIPTION_ITEM)
    allergies = _with_template(nodes, _ALLERGY)
    return ClinicalContent(
        problems=tuple(_problem(each, texts) for each in _with_template(nodes, _PROBLEM) if each not in allergies),
        allergies=tuple(_problem(each, texts) for each in allergies),
        treatments=tuple(
            _medication(each, texts) for each in _with_template(nodes, _MEDICATION) if each not in prescribed
        ),
        vaccinations=tuple(_vaccination(each, texts) for each in _with_template(nodes, _IMMUNIZATION)),
        results=_observations(nodes, _LABORATORY_RESULT, texts),
        measures=_observations(nodes, _MEASURE, texts),
        prescriptions=tuple(_medication(each, texts) for each in prescribed),
    )


def _with_template(nodes: Nodes, template: str) -> tuple[Element, ...]:
    return tuple(each.element for each in nodes.with_template.get(template, ()))


class _Narrative:
    """Texts of the narrative by @ID: entries refer to them."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._by_id: dict[str, Element] | None = None

    def of(self, element: Element | None) -> str:
        """The text of an ED: its own, or that of what its reference names."""
        if element is None:
            return ""
        reference = attribute(element, "reference/@value")
        target = self._target(reference.removeprefix("#")) if reference else element
        return " ".join("".join(target.itertext()).split()) if target is not None else ""  # type: ignore[arg-type]

    def _target(self, name: str) -> Element | None:
        if self._by_id is None:
            found = (each.element for each in self._nodes.named("*") if each.attributes.get("ID"))
            self._by_id = {each.get("ID") or "": each for each in found}
        return self._by_id.get(name)


def _observations(nodes: Nodes, template: str, texts: _Narrative) -> tuple[Observation, ...]:
    found = (each for each in _with_template(nodes, template) if each.tag == f"{{{CDA}}}observation")
    return tuple(_observation(each, texts) for each in found)


def _problem(element: Element, texts: _Narrative) -> Problem:
    return Problem(
        code=read_cd(child(element, "value")),
        text=_first(texts, element, "value/originalText", "text"),
        period=_period(element),
        agent=read_cd(child(element, "participant/participantRole/playingEntity/code")),
        is_absent=element.get("negationInd") == "true",
    )


def _medication(element: Element, texts: _Narrative) -> Medication:
    material = child(element, "consumable/manufacturedProduct/manufacturedMaterial")
    return Medication(
        product=read_cd(child(material, "code")),
        name=_material_name(material, texts),
        dose=_quantity(child(element, "doseQuantity"), texts),
        route=read_cd(child(element, "routeCode")),
        period=_period(element),
    )


def _vaccination(element: Element, texts: _Narrative) -> Vaccination:
    material = child(element, "consumable/manufacturedProduct/manufacturedMaterial")
    return Vaccination(
        vaccine=read_cd(child(material, "code")),
        name=_material_name(material, texts),
        lot=texts.of(child(material, "lotNumberText")),
        date=attribute(element, "effectiveTime/@value"),
        is_absent=element.get("negationInd") == "true",
    )


def _material_name(material: Element | None, texts: _Narrative) -> str:
    if material is None:
        return ""
    code = read_cd(child(material, "code"))
    return _first(texts, material, "name", "code/originalText") or (code.display_name if code else "")


def _observation(element: Element, texts: _Narrative) -> Observation:
    return Observation(
        code=read_cd(child(element, "code")),
        text=_first(texts, element, "code/originalText", "text"),
        value=_quantity(child(element, "value"), texts),
        interpretation=read_cd(child(element, "interpretationCode")),
        date=attribute(element, "effectiveTime/@value") or _period(element).low,
        status=attribute(element, "statusCode/@code"),
    )


def _first(texts: _Narrative, element: Element, *paths: str) -> str:
    return next((text for path in paths if (text := texts.of(child(element, path)))), "")


def _period(element: Element) -> Period:
    time = next(iter(children(element, "effectiveTime")), None)
    if time is None:
        return Period()
    value = time.get("value") or ""
    return Period(low=attribute(time, "low/@value") or value, high=attribute(time, "high/@value") or value)


def _quantity(element: Element | None, texts: _Narrative) -> Quantity:
    """The value of an observation or a dose, whatever its type."""
    if element is None or element.get("nullFlavor"):
        return Quantity()
    kind = (element.get(_XSI_TYPE) or "").rpartition(":")[2]
    return _READERS.get(kind, _plain)(element, texts)


def _plain(element: Element, texts: _Narrative) -> Quantity:
    value = element.get("value") or attribute(element, "low/@value") or texts.of(element)
    return Quantity(value=value, unit=element.get("unit") or attribute(element, "low/@unit"))


def _coded(element: Element, texts: _Narrative) -> Quantity:
    code = read_cd(element)
    return Quantity(value=(code.display_name or code.code) if code else texts.of(child(element, "originalText")))


def _interval(element: Element, _texts: _Narrative) -> Quantity:
    low, high = attribute(element, "low/@value"), attribute(element, "high/@value")
    unit = attribute(element, "low/@unit") or attribute(element, "high/@unit")
    if low and high:
        return Quantity(value=low if low == high else f"{low} – {high}", unit=unit)
    return Quantity(value=f"≥ {low}" if low else f"≤ {high}" if high else "", unit=unit)


_READERS: dict[str, Callable[[Element, _Narrative], Quantity]] = {
    "CD": _coded,
    "CE": _coded,
    "CO": _coded,
    "IVL_PQ": _interval,
    "IVL_INT": _interval,
}


def content_rows(content: ClinicalContent) -> Iterator[tuple[str, str, str, str]]:
    """Kind in French, what, value, when: one row for each entry, to be shown."""
    for each in content.problems:
        yield "Problème", _label(each.code, each.text), "absent" if each.is_absent else "", each.period.low
    for each in content.allergies:
        yield (
            "Allergie",
            _label(each.agent or each.code, each.text),
            "absente" if each.is_absent else "",
            each.period.low,
        )
    for medicine in content.treatments:
        yield "Traitement", medicine.name, str(medicine.dose), medicine.period.low
    for shot in content.vaccinations:
        yield "Vaccination", shot.name, "non faite" if shot.is_absent else shot.lot, shot.date
    for result in content.results:
        yield "Résultat", _label(result.code, result.text), str(result.value), result.date
    for measure in content.measures:
        yield "Mesure", _label(measure.code, measure.text), str(measure.value), measure.date
    for item in content.prescriptions:
        yield "Prescription", item.name, str(item.dose), item.period.low


def _label(code: CD | None, text: str) -> str:
    return text or (code.display_name or code.code if code else "")
