"""Which document model a document follows, and the version whose rules apply to it. CI-SIS Modèles de documents.

`schemas/schematron/models.csv` has one row for each version: templateId root and extension. A version is kept with
its own rules, so a document is never judged by rules that are newer than itself.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cda.findings import Model
from cda.schematron.nodes import Element
from schemas import resource

_V3 = "{urn:hl7-org:v3}"
_GENERIC = frozenset({"2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1"})
_NATIONAL = "1.2.250.1.213.1.1.1."
LEVEL_1 = "1.3.6.1.4.1.19376.1.2.20"
_TELEMEDICINE_REPORT = "85208-7"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One row of the table. `type_codes` are the document codes of the model.

    `has_fixed_extension`: the rules of the model demand this extension, so no other can be a version of it.
    """

    name: str
    version: str
    template: str
    extension: str
    type_codes: tuple[str, ...]
    has_fixed_extension: bool


@cache
def model_versions() -> tuple[ModelVersion, ...]:
    """Every model and version with rules of its own."""
    rows = csv.DictReader(resource("schematron/models.csv").read_text(encoding="utf-8").splitlines())
    return tuple(
        ModelVersion(
            name=row["model"],
            version=row["version"],
            template=row["template"],
            extension=row["extension"],
            type_codes=tuple(row["type_codes"].split()),
            has_fixed_extension=row["fixed_extension"] == "yes",
        )
        for row in rows
    )


@cache
def _by_template() -> Mapping[str, Sequence[ModelVersion]]:
    found: dict[str, list[ModelVersion]] = {}
    for each in model_versions():
        found.setdefault(each.template, []).append(each)
    return found


def model_of(document: Element) -> Model:
    """The model of a ClinicalDocument. Without a name when neither its templates nor its code name one with rules.

    Of an extension nobody knows the latest version stands in, and `is_recognised` is False. Documents from before
    versions had numbers have no extension and are earlier than all.
    """
    bodies = document.iterchildren(f"{_V3}component")
    if any(True for body in bodies for _ in body.iterchildren(f"{_V3}nonXMLBody")):
        return _level_1(document)
    identifiers = document.iterchildren(f"{_V3}templateId")
    templates = [(each.get("root") or "", each.get("extension") or "") for each in identifiers]
    for root, extension in sorted(templates, key=lambda pair: -_is_specific(pair[0])):
        versions = _by_template().get(root, ())
        if root not in _GENERIC and root != LEVEL_1 and versions:
            return _version(versions, extension)
    return _by_code(document)


def _by_code(document: Element) -> Model:
    """Of a document that declares no model: the one its code belongs to, when it belongs to one alone."""
    code = document.find(f"{_V3}code")
    found = [each for each in model_versions() if code is not None and code.get("code") in each.type_codes]
    names = {each.name for each in found}
    return Model(name=found[-1].name, version=found[-1].version) if len(names) == 1 else Model()


def _is_specific(root: str) -> int:
    """National models before those they are derived from, `T.5.1` before `T.5`."""
    return len(root) if root.startswith(_NATIONAL) else 0


def _level_1(document: Element) -> Model:
    """Level 1 has no model, but for the report of a telemedicine act."""
    code = document.find(f"{_V3}code")
    if code is not None and code.get("code") == _TELEMEDICINE_REPORT:
        return _version(_by_template()[LEVEL_1], "")
    return Model(name="N1")


def _version(versions: Sequence[ModelVersion], extension: str) -> Model:
    same = next((each for each in versions if each.extension == extension or each.has_fixed_extension), None)
    chosen = same or versions[-1]
    is_earlier = same is None and extension < min(each.extension for each in versions)
    return Model(name=chosen.name, version=chosen.version, is_recognised=same is not None, is_earlier=is_earlier)
