"""What documents say beside patient, identifiers and times: some hundreds of models that a data set draws from."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from benchmarks.invented import (
    COMMENTS,
    CONFIDENTIALITY,
    DOCUMENT_KINDS,
    FAMILY_NAMES,
    GIVEN_NAMES,
    PLACES,
    SPECIALTIES,
    SPECIALTY_SYSTEM,
    TOWNS,
    DocumentKind,
)
from schemas.value_sets import class_of_type, value_set
from xds.datatypes import XCN, XON, Code
from xds.metadata import Author

NUMBER_OF_MODELS = 250
_PROFESSIONALS, _STRUCTURES = "1.2.250.1.71.4.2.1", "1.2.250.1.71.4.2.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Professional:
    """Who writes documents of some kinds, and where."""

    author: Author
    facility: Code
    setting: Code


class KindCodes:
    """A kind of document with its codes looked up in the value sets of the DMP."""

    def __init__(self, kind: DocumentKind) -> None:
        self.title, self.places = kind.title, kind.places
        self.type_code = _code("JDV_J66_TypeCode_DMP", kind.type_code)
        self.format_code = _code("JDV_J60_FormatCode_DMP", kind.format_code)
        self.content_type = _code("JDV_J59_ContentTypeCode_DMP", kind.content_type)
        concept = class_of_type(self.type_code.code, self.type_code.coding_scheme)
        assert concept is not None
        self.class_code = Code(code=concept.code, coding_scheme=concept.system, display_name=concept.display)
        event = kind.event
        self.events = () if event is None else (_event(*event),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One of the models: kind, authors, and which of the attributes that may be absent are there."""

    kind: KindCodes
    writer: Professional
    authors: tuple[Author, ...]
    confidentiality: Code
    comments: str | None
    is_dated: bool
    has_stop: bool
    has_reference: bool


def models(seed: int) -> Callable[[int], Model]:
    """The models of a data set by their number, below `NUMBER_OF_MODELS`; each is made when it is first asked for."""
    kinds = tuple(KindCodes(kind) for kind in DOCUMENT_KINDS)
    levels = [_code("JDV_J58_ConfidentialityCode_DMP", code) for code in CONFIDENTIALITY]

    @cache
    def model(number: int) -> Model:
        chance = random.Random(f"{seed}/model/{number}")
        (kind,) = chance.choices(kinds, [one.weight for one in DOCUMENT_KINDS])
        writer = _professional(seed, chance.choice(kind.places), chance)
        others = () if chance.random() < 0.85 else (_professional(seed, chance.choice(kind.places), chance).author,)
        return Model(
            kind=kind,
            writer=writer,
            authors=(writer.author, *others),
            confidentiality=chance.choices(levels, list(CONFIDENTIALITY.values()))[0],
            comments=chance.choice(COMMENTS) if chance.random() < 0.1 else None,
            is_dated=chance.random() < 0.3,
            has_stop=chance.random() < 0.6,
            has_reference=kind.places == ("laboratory",) or chance.random() < 0.2,
        )

    return model


def content_type_of(type_code: Code | None) -> Code:
    """contentTypeCode of a submission that brings a document of this type."""
    kinds = tuple(KindCodes(kind) for kind in DOCUMENT_KINDS)
    return next((kind for kind in kinds if kind.type_code == type_code), kinds[0]).content_type


def _professional(seed: int, place_name: str, chance: random.Random) -> Professional:
    """One of some thousands of writers, each always at the same structure."""
    place = PLACES[place_name]
    structure, person = chance.randrange(place.number), chance.randrange(12)
    same = random.Random(f"{seed}/{place_name}/{structure}/{person}")
    given = same.choice(GIVEN_NAMES[same.choice("FM")]).capitalize()
    offset = 10 * list(PLACES).index(place_name) + person
    code, label = SPECIALTIES[place_name]
    name = f"{place.names[structure % len(place.names)]} {TOWNS[structure % len(TOWNS)][1].title()} {structure}"
    author = Author(
        author_person=XCN(
            f"8999{structure:05d}{offset:03d}^ESSAI-{same.choice(FAMILY_NAMES)}^{given}^^^^^^"
            f"&{_PROFESSIONALS}&ISO^D^^^IDNPS"
        ),
        author_institution=(XON(f"{name}^^^^^&{_STRUCTURES}&ISO^IDNST^^^1{offset // 10:02d}999{structure:04d}"),),
        author_specialty=(f"{code}^{label}^{SPECIALTY_SYSTEM}",),
    )
    facility = _code("JDV_J61_HealthcareFacilityTypeCode_DMP", place.facility)
    setting = _code("JDV_J62_PracticeSettingCode_DMP", place.setting)
    return Professional(author=author, facility=facility, setting=setting)


def _event(code: str, system: str, label: str) -> Code:
    return Code(code=code, coding_scheme=system, display_name=label)


def _code(table: str, code: str) -> Code:
    concept = next(concept for concept in value_set(table).concepts if concept.code == code)
    return Code(code=concept.code, coding_scheme=concept.system, display_name=concept.display)
