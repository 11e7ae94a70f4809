"""Documents with sections and entries: the sections of `models/` under the header of the kit, and the example reports
beside this package, in the name of other people. CI-SIS 3.5

Of an example report, what the header says of identifiers, people and times is replaced; sections and entries stay.
"""

from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from string import Template

from lxml import etree

from conformance.nist.xml import parse
from conformance.population.chance import Chance
from conformance.population.value_sets import rows
from conformance.vihf import HL7

EXAMPLES, SECTIONS = Path(__file__).resolve().parents[2] / "examples" / "reports", Path(__file__).parent / "models"
_OWN = ("id", "effectiveTime", "setId", "versionNumber", "recordTarget", "author", "custodian", "legalAuthenticator")
_NAMES = {"h": HL7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Where the sections are; `template` is the root of its document template.

    Of sections in `models/`: `version` is the extension of that template, `more_templates` are others of the document,
    `event` the code, system and name of the documented act.
    """

    file: str
    type_code: str
    template: str
    version: str = ""
    more_templates: tuple[str, ...] = ()
    event: tuple[str, str, str] | None = None

    @property
    def path(self) -> Path:
        return (SECTIONS if self.version else EXAMPLES) / self.file

    @property
    def format_code(self) -> tuple[str, str]:
        """formatCode and its system. ASS_A11"""
        return next((row["code"], row["system"]) for row in rows("ASS_A11") if row["source"] == self.template)


_IMMUNIZATION = ("1.3.6.1.4.1.19376.1.5.3.1.1.18.1.2",)
MODELS = (
    Model(file="lettre-liaison-sortie.xml", type_code="11490-0", template="1.2.250.1.213.1.1.1.29"),
    Model(file="cr-biologie.xml", type_code="11502-2", template="1.2.250.1.213.1.1.1.55"),
    Model(
        file="lettre-liaison-entree.xml",
        type_code="18761-7",
        template="1.2.250.1.213.1.1.1.21",
        version="2022.01",
        event=("IMP", "2.16.840.1.113883.5.4", "Hospitalisation (établissement, y compris HAD)"),
    ),
    Model(
        file="note-vaccination.xml",
        type_code="87273-9",
        template="1.2.250.1.213.1.1.1.46",
        version="2023.01",
        more_templates=_IMMUNIZATION,
    ),
    Model(
        file="historique-vaccinations.xml",
        type_code="11369-6",
        template="1.2.250.1.213.1.1.1.37",
        version="2023.01",
        more_templates=_IMMUNIZATION,
        event=("11369-6", "2.16.840.1.113883.6.1", "Historique des vaccinations"),
    ),
)


def models() -> tuple[Model, ...]:
    """Those whose file is there: an installed kit has no example reports."""
    return tuple(one for one in MODELS if one.path.is_file())


def write_structured(model: Model, header: bytes) -> bytes:
    """The sections of a model under the header of a document, whose body is left out."""
    return _with_sections(model, header) if model.version else _with_header(model, header)


def _with_sections(model: Model, header: bytes) -> bytes:
    """The header with the templates, the act and the sections of the model."""
    document = parse(header)
    own = document.findall(f"{{{HL7}}}templateId")[-1]  # that of documents without sections
    own.attrib.update({"root": model.template, "extension": model.version})
    for root in model.more_templates:
        own.addprevious(etree.Element(f"{{{HL7}}}templateId", root=root))
    if model.event is not None:
        code, system, display = model.event
        event = _one(document, "h:documentationOf/h:serviceEvent")
        event.insert(0, etree.Element(f"{{{HL7}}}code", code=code, codeSystem=system, displayName=display))
    body = _one(document, "h:component")
    document.replace(body, parse(_sections(model, document)))
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True)


def _sections(model: Model, document: etree._Element) -> bytes:
    """The file of a model with days, identifiers and author of a document."""
    own = str(_one(document, "h:id").get("root"))
    day = date.fromisoformat(str(_one(document, ".//h:serviceEvent//h:low").get("value"))[:8])
    chance = Chance(0, "sections", own)
    author = deepcopy(_one(document, "h:author"))
    author.set("typeCode", "AUT")
    author.set("contextControlCode", "OP")
    author.tail = None
    given = {f"id{number}": str(chance.uuid()).upper() for number in range(1, 10)}
    given |= {
        "day": f"{day:%Y%m%d}",
        "earlier": f"{day - timedelta(days=183):%Y%m%d}",
        "author": etree.tostring(author, encoding="unicode"),
    }
    return Template(model.path.read_text("utf-8")).substitute(given).encode()


def _with_header(model: Model, header: bytes) -> bytes:
    """The example report of a model with the header of another document."""
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
    return parse(model.path.read_bytes())


def _one(element: etree._Element, path: str) -> etree._Element:
    found = element.find(path, _NAMES)
    if found is None:
        raise ValueError(f"found no {path}")
    return found
