"""Documents with sections and entries: the example reports beside this package, in the name of other people.

What the header says of identifiers, people and times is replaced; sections and entries stay as they are. CI-SIS 3.5
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

from conformance.nist.xml import parse
from conformance.population.value_sets import rows
from conformance.vihf import HL7

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "reports"
_OWN = ("id", "effectiveTime", "setId", "versionNumber", "recordTarget", "author", "custodian", "legalAuthenticator")
_NAMES = {"h": HL7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A report to take the sections from; `template` is the root of its document template."""

    file: str
    type_code: str
    template: str

    @property
    def format_code(self) -> tuple[str, str]:
        """formatCode and its system. ASS_A11"""
        return next((row["code"], row["system"]) for row in rows("ASS_A11") if row["source"] == self.template)


MODELS = (
    Model(file="lettre-liaison-sortie.xml", type_code="11490-0", template="1.2.250.1.213.1.1.1.29"),
    Model(file="cr-biologie.xml", type_code="11502-2", template="1.2.250.1.213.1.1.1.55"),
)


def models() -> tuple[Model, ...]:
    """Those whose file is there: an installed kit has none."""
    return tuple(one for one in MODELS if (FOLDER / one.file).is_file())


def write_structured(model: Model, header: bytes) -> bytes:
    """The report of a model with the header of another document, whose body is left out."""
    given, document = parse(header), deepcopy(_report(model))
    for name in _OWN:
        old, new = (one.find(f"{{{HL7}}}{name}") for one in (document, given))
        if old is None or new is None:
            raise ValueError(f"{model.file}: found no {name} in the header")
        document.replace(old, new)
    parent = given.find(f"{{{HL7}}}relatedDocument")
    if parent is not None:
        _one(document, "h:componentOf").addprevious(parent)
    event, own = (_one(one, "h:documentationOf[1]/h:serviceEvent") for one in (document, given))
    event.replace(_one(event, "h:effectiveTime"), _one(own, "h:effectiveTime"))
    event.replace(_one(event, "h:performer"), _one(own, "h:performer"))
    for path in ("h:effectiveTime", "h:location/h:healthCareFacility/h:code"):
        old, new = (_one(one, f"h:componentOf/h:encompassingEncounter/{path}") for one in (document, given))
        holder = old.getparent()
        if holder is not None:
            holder.replace(old, new)
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True)


@cache
def _report(model: Model) -> etree._Element:
    return parse((FOLDER / model.file).read_bytes())


def _one(element: etree._Element, path: str) -> etree._Element:
    found = element.find(path, _NAMES)
    if found is None:
        raise ValueError(f"found no {path}")
    return found
