"""What is of one submission alone: its patient, identifiers, times, hash and size, all drawn from the seed."""

import hashlib
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

from benchmarks.invented import FAMILY_NAMES, GIVEN_NAMES, STREETS, TOWNS
from benchmarks.models import NUMBER_OF_MODELS
from benchmarks.plan import Plan
from carnet.domains import TEST_INS_AUTHORITY
from xds.datatypes import CX

FIRST_DAY, LAST_DAY = datetime(2020, 1, 6, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)
# Keys as `storage.keys` makes them: milliseconds since 2020 above 22 bits.
_LOW_BITS, _EPOCH_SECONDS = 22, 1_577_836_800
_KEYS_PER_SUBMISSION = 8
_DIGITS = "%Y%m%d%H%M%S"
# Octets of a document: the natural logarithm is spread like this, beside an envelope of 4 kB.
_SIZES = NormalDist(11.5, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """An invented person."""

    ins_number: str
    local_number: str
    local_authority: str
    family: str
    given: str
    further: str
    birth: str
    sex: str
    street: str
    town: str
    postcode: str
    phone: str

    @property
    def ins(self) -> CX:
        return CX(f"{self.ins_number}^^^&{TEST_INS_AUTHORITY}&ISO^NH")

    @property
    def local_id(self) -> CX:
        return CX(f"IPP-{self.local_number}^^^&{self.local_authority}&ISO^PI")

    @property
    def pid(self) -> tuple[str, ...]:
        """What sourcePatientInfo says."""
        return (
            f"PID-3|{self.ins}",
            f"PID-3|{self.local_id}",
            f"PID-5|{self.family}^{self.given}^{self.given} {self.further}^^^^L",
            f"PID-7|{self.birth}",
            f"PID-8|{self.sex}",
            f"PID-11|{self.street}^^{self.town}^^{self.postcode}^FRANCE^H",
            f"PID-13|^PRN^PH^^^^^^^^^{self.phone}",
        )


class Shape(NamedTuple):
    """What two submissions have in common that differ in their particulars alone."""

    model: int
    replaces: bool
    is_replaced: bool
    is_ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Particulars:
    """UUIDs without their prefix, OIDs, times of 14 digits in UTC, and keys of rows, the first of its objects'."""

    patient: Patient
    patient_key: int
    object_key: int
    entry: str
    unique_id: str
    submission_set: str
    submission_set_id: str
    member: str
    replacement: str
    replaced: str
    came: str
    created: str
    started: str
    stopped: str
    day: str
    hash: str
    size: int
    order: str


class Draw:
    """Particulars and shapes of the submissions of one plan, the same in any process."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._seed = plan, plan.sizes.seed
        self.patient = cache(self._patient)

    def shape(self, number: int) -> Shape:
        patient, turn = self._plan.order[number], self._plan.turns[number]
        return Shape(
            model=int.from_bytes(self._digest(patient, turn)[20:24], "big") % NUMBER_OF_MODELS,
            replaces=self._plan.replaces(patient, turn),
            is_replaced=self._plan.replaces(patient, turn + 1),
            is_ordered=turn == 1 and self._plan.is_queried(patient),
        )

    def particulars(self, number: int) -> Particulars:
        patient, turn = self._plan.order[number], self._plan.turns[number]
        digest, moment = self._digest(patient, turn), self.moment(number)
        at = [int.from_bytes(digest[start : start + 4], "big") for start in range(24, 40, 4)]
        started = moment - timedelta(minutes=20 + at[0] % 14_380)
        is_ordered = turn == 1 and self._plan.is_queried(patient)
        return Particulars(
            patient=self.patient(patient),
            patient_key=patient_key(patient),
            object_key=self._key(number, moment),
            entry=self.uuid(f"entry/{patient}/{turn}"),
            unique_id=self.oid(f"document/{patient}/{turn}"),
            submission_set=self.uuid(f"submission/{patient}/{turn}"),
            submission_set_id=self.oid(f"submission/{patient}/{turn}"),
            member=self.uuid(f"member/{patient}/{turn}"),
            replacement=self.uuid(f"replacement/{patient}/{turn}"),
            replaced=self.uuid(f"entry/{patient}/{turn - 1}"),
            came=f"{moment:{_DIGITS}}",
            created=f"{moment - timedelta(minutes=1 + at[1] % 19):{_DIGITS}}",
            started=f"{started:{_DIGITS}}",
            stopped=f"{started + timedelta(minutes=15):{_DIGITS}}",
            day=f"{moment:%d/%m/%Y}",
            hash=digest[:20].hex(),
            size=4_000 + int(math.exp(_SIZES.inv_cdf((at[2] + 1) / (2**32 + 1)))),
            order=f"{patient if is_ordered else at[3] % 10**9:09d}",
        )

    def moment(self, number: int) -> datetime:
        return FIRST_DAY + (LAST_DAY - FIRST_DAY) * (number / self._plan.sizes.entries)

    def uuid(self, name: str) -> str:
        digits = hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=16).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def oid(self, name: str) -> str:
        digest = hashlib.blake2b(f"{self._seed}/{name}".encode(), digest_size=16).digest()
        return f"2.25.{int.from_bytes(digest, 'big')}"

    def _digest(self, patient: int, turn: int) -> bytes:
        return hashlib.blake2b(f"{self._seed}/document/{patient}/{turn}".encode(), digest_size=40).digest()

    def _key(self, number: int, moment: datetime) -> int:
        """Grows with the time of the submission; the low bits tell its objects apart."""
        milliseconds = int((moment.timestamp() - _EPOCH_SECONDS) * 1000)
        return milliseconds << _LOW_BITS | (number * _KEYS_PER_SUBMISSION) & (1 << _LOW_BITS) - 1

    def _patient(self, number: int) -> Patient:
        chance = random.Random(f"{self._seed}/patient/{number}")
        sex, year, month = chance.choice("FM"), chance.randrange(1930, 2023), chance.randrange(1, 13)
        postcode, town = chance.choice(TOWNS)
        return Patient(
            ins_number=_test_ins(sex, year, month, number),
            local_number=f"{number:07d}",
            local_authority=f"2.25.4871{number % 30:02d}",
            family=f"ESSAI-{chance.choice(FAMILY_NAMES)}",
            given=chance.choice(GIVEN_NAMES[sex]),
            further=chance.choice(GIVEN_NAMES[sex]),
            birth=f"{year}{month:02d}{chance.randrange(1, 29):02d}",
            sex=sex,
            street=f"{chance.randrange(1, 90)} {chance.choice(STREETS)}",
            town=town,
            postcode=postcode,
            phone=f"02619100{number % 100:02d}",
        )


def patient_key(number: int) -> int:
    return (number + 1) << _LOW_BITS


def _test_ins(sex: str, year: int, month: int, number: int) -> str:
    """A test number in the form of an INS, control key included; 99 is no department of birth."""
    digits = f"{'2' if sex == 'F' else '1'}{year % 100:02d}{month:02d}99{number:06d}"
    return f"{digits}{97 - int(digits) % 97:02d}"
