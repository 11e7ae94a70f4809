"""Who there is: structures, professionals of every profession, patients with INS test numbers and a state each.

All names are invented; numbers are those reserved for tests, with valid keys. ANS INS; DMP 8.5, 12.4, 13.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from conformance.population.chance import Chance
from conformance.population.value_sets import rows
from conformance.vihf import Claim, Coded

TEST_NIR = "1.2.250.1.213.1.4.10"
_FAMILIES = (
    *("ABALAIN", "BERTHIN", "CARVENNEC", "DELMOTTE", "ESTRADE", "FAUVARQUE"),
    *("GRANDJEAN", "HUMBERTAUD", "ISAMBERT", "JOUVENET", "KERVADEC", "LORMEAU"),
    *("MARCHANDISE", "NOUVELLON", "ORTEGAT", "PELLISSARD", "QUINTANEL", "ROUVEYROL"),
    *("SAINTRAIL", "TRAVERSAZ", "URRUTIBERRY", "VALDENAIRE"),
)
_GIVEN = {
    "F": ("ADELE", "BERENICE", "CELESTE", "DOROTHEE", "ELISE", "FLAVIE", "GARANCE", "HERMINE", "ISAURE", "LEONIE"),
    "M": ("ANATOLE", "BAPTISTE", "CORENTIN", "DAMIEN", "ELOI", "FELICIEN", "GASPARD", "HIPPOLYTE", "JOACHIM", "LUCIEN"),
}
# COG code, name, postal code
_PLACES = (
    ("35238", "RENNES", "35000"),
    ("69383", "LYON 3E ARRONDISSEMENT", "69003"),
    ("13201", "MARSEILLE 1ER ARRONDISSEMENT", "13001"),
    ("75112", "PARIS 12E ARRONDISSEMENT", "75012"),
    ("33063", "BORDEAUX", "33000"),
    ("59350", "LILLE", "59000"),
    ("31555", "TOULOUSE", "31000"),
    ("67482", "STRASBOURG", "67000"),
    ("2A004", "AJACCIO", "20000"),
    ("97411", "SAINT-DENIS", "97400"),
)
_CARDS = ("10/SM26", "10/SM04", "21", "40", "50", "60", "70")


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """A structure of care by its Struct_IdNat."""

    identifier: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Professional:
    """`roles` are the values of the VIHF: profession, then speciality; `has_card` when he acts in direct mode."""

    identifier: str
    family: str
    given: str
    roles: tuple[Coded, ...]
    structure: Structure
    has_card: bool

    @property
    def title(self) -> str:
        return self.roles[0].display

    @property
    def name(self) -> str:
        """As files are named: the codes of the roles."""
        return "-".join(one.code for one in self.roles)

    @property
    def holder(self) -> str:
        """As files of certificates are named: the identifier, in which that of an employee has a stroke."""
        return self.identifier.replace("/", "-")

    def claim(self, patient: str = "", *, mode: str = "", purpose: str = "normal") -> Claim:
        """What his VIHF says; direct with a card, indirect without. `purpose` is a code of access modes. DMP 6.5"""
        mode = mode or ("DIRECTE" if self.has_card else "INDIRECTE")
        return Claim(
            subject=self.identifier
            if mode == "DIRECTE"
            else f"3{self.structure.identifier[1:]}/{self.identifier[-5:]}",
            structure=self.structure.identifier,
            roles=self.roles,
            patient=patient,
            mode=mode,
            purpose=purpose,
            display_name="" if mode == "DIRECTE" else f"{self.given} {self.family}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The state of a record. `has_documents`: documents could be fed to it before it got there."""

    name: str
    meaning: str
    has_documents: bool = True
    is_minor: bool = False
    is_open: bool = True


STATES = (
    State(name="open", meaning="open; the doctor and the nurse are authorised"),
    State(name="open-without-authorisation", meaning="open; nobody is authorised to read"),
    State(name="blocked", meaning="open; the cardiologist is blocked"),
    State(name="treating-doctor", meaning="open; the general practitioner is the treating doctor"),
    State(name="authorisation-expired", meaning="open; the authorisation of the doctor is over"),
    State(name="opposes-break-glass", meaning="open; nobody may break the glass"),
    State(name="opposes-regulation", meaning="open; no emergency regulator may read"),
    State(name="minor", meaning="open; of a minor, with a legal representative", is_minor=True),
    State(name="attached", meaning="open; reached from Mon espace santé"),
    State(name="masked-document", meaning="open; its first document is masked (MASQUE_PS)"),
    State(name="invisible-document", meaning="open; its first document is invisible to the patient"),
    State(name="replaced-document", meaning="open; its second document replaces its first"),
    State(name="archived-document", meaning="open; its first document is archived"),
    State(name="deleted-document", meaning="open; its first document is deleted"),
    State(name="ins-changed", meaning="open; the person had another INS before"),
    State(name="closed", meaning="closed by its holder; documents kept", is_open=False),
    State(name="deceased", meaning="the holder is dead; the record is closed", is_open=False),
    State(name="informed", meaning="not open yet; the person was informed", has_documents=False, is_open=False),
    State(name="opposed", meaning="never opened; the person opposed", has_documents=False, is_open=False),
    State(name="without-record", meaning="known, without a record", has_documents=False, is_open=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A person with the traits of the INS. `former` is an earlier INS, `representative` that of a parent."""

    ins: str
    family: str
    given: str
    sex: str
    birth: date
    place: tuple[str, str, str]
    state: State
    number: str
    former: str = ""
    representative: str = ""

    @property
    def cx(self) -> str:
        return f"{self.ins}^^^&{TEST_NIR}&ISO^NH"


def key_of(number: str) -> str:
    """The key of a NIR of 13 characters; Corsica counts as 19 and 18."""
    return f"{97 - int(number.replace('2A', '19').replace('2B', '18')) % 97:02}"


def structures(seed: int) -> tuple[Structure, ...]:
    """A clinic and a surgery."""
    chance = Chance(seed, "structures")
    names = ("Clinique des Essais", "Cabinet médical du Banc d'Essai")
    return tuple(Structure(identifier=f"1{chance.below(10**9):09}", name=name) for name in names)


def professionals(seed: int) -> tuple[Professional, ...]:
    """Some with a card, then one of each profession of JDV_J65, who acts through his structure."""
    clinic, surgery = structures(seed)
    professions = [row for row in rows("JDV_J65") if row["vihf_occurrence"] == "1" and row["system"] != _DEVICES]
    known = {row["code"]: row for row in rows("JDV_J65") if row["vihf_occurrence"] == "2"}
    found = []
    for card in _CARDS:
        profession, _, speciality = card.partition("/")
        row = next(one for one in professions if one["code"] == profession)
        roles = [row, *([known[speciality]] if speciality else _second_role(profession))]
        found.append(_professional(seed, f"card/{card}", roles, surgery, has_card=True))
    for row in professions:
        roles = [row, *_second_role(row["code"])]
        found.append(_professional(seed, f"{row['system']}/{row['code']}", roles, clinic, has_card=False))
    return tuple(found)


def employees(seed: int) -> tuple[Professional, ...]:
    """Who has the card of an employee (CPE): a medical secretary of the surgery, named by its FINESS. DMP 8.5"""
    surgery, chance = structures(seed)[1], Chance(seed, "employee")
    row = next(one for one in rows("JDV_J65") if one["code"] == "SECRETARIAT_MEDICAL")
    secretary = Professional(
        identifier=f"3{surgery.identifier[1:]}/{chance.below(10**5):05}",
        family=chance.one_of(_FAMILIES),
        given=chance.one_of(_GIVEN["M"]),
        roles=(Coded(code=row["code"], system=row["system"], display=row["display"]),),
        structure=surgery,
        has_card=True,
    )
    return (secretary,)


_DEVICES = "1.2.250.1.213.1.1.4.6"


def _second_role(profession: str) -> list[dict[str, str]]:
    """A doctor's speciality, a pharmacist's section, the role of an actor who is characterised by it. VIHF 4.0"""
    wanted = {"10": "SM26", "21": "A", "99": "316"}.get(profession)
    if wanted is None:
        return []
    rest = (row for row in rows("JDV_J65") if row["vihf_occurrence"] == "2" and row["code"] == wanted)
    return list(rest)[:1]


def _professional(
    seed: int, name: str, roles: list[dict[str, str]], structure: Structure, *, has_card: bool
) -> Professional:
    chance = Chance(seed, "professional", name)
    number = f"{chance.below(10**10):010}"
    return Professional(
        identifier=f"8{number}{_luhn(number)}",
        family=chance.one_of(_FAMILIES),
        given=chance.one_of(_GIVEN[chance.one_of(("F", "M"))]),
        roles=tuple(Coded(code=row["code"], system=row["system"], display=row["display"]) for row in roles),
        structure=structure,
        has_card=has_card,
    )


def _luhn(number: str) -> int:
    """The last digit of an RPPS number."""
    doubled = (int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(number)))
    return -sum(one // 10 + one % 10 for one in doubled) % 10


def patients(seed: int, count: int, today: date) -> Iterator[Patient]:
    """As many as wanted; states in turn, so that twenty have them all. The first ones are the same for any count."""
    taken: set[str] = set()
    for index in range(count):
        chance, state = Chance(seed, "patient", index), STATES[index % len(STATES)]
        sex, place = chance.one_of(("F", "M")), chance.one_of(_PLACES)
        years = chance.below(17) if state.is_minor else 18 + chance.below(75)
        birth = today - timedelta(days=365 * years + chance.below(365) + 1)
        yield Patient(
            ins=_ins(taken, sex, birth, place[0], chance),
            family=f"{chance.one_of(_FAMILIES)}-TEST",
            given=chance.one_of(_GIVEN[sex]),
            sex=sex,
            birth=birth,
            place=place,
            state=state,
            number=f"IPP-{seed}-{index + 1:06}",
            former=_ins(taken, sex, birth, "75112", chance) if state.name == "ins-changed" else "",
            representative=_ins(taken, "F", birth - timedelta(days=365 * 30), place[0], chance)
            if state.is_minor
            else "",
        )


def _ins(taken: set[str], sex: str, birth: date, place: str, chance: Chance) -> str:
    """Sex, year, month, commune, order and key: 15 characters nobody else of the set has."""
    start = f"{2 if sex == 'F' else 1}{birth:%y%m}{place}"
    first = chance.below(900)
    for step in range(999):
        number = f"{start}{(first + step) % 999 + 1:03}"
        if number not in taken:
            taken.add(number)
            return number + key_of(number)
    return _ins(taken, sex, birth - timedelta(days=31), place, chance)
