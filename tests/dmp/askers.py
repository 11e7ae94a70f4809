"""Who asks of a record, and what is drawn from: everybody whom the tables treat in a way of their own."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from tests.dmp.dossier_model import G15, SYSTEMS, Asker, rows

BEGIN = datetime(2026, 3, 10, 10)  # noqa: DTZ001 - UTC by contract
PERSONS = ("258063500000188", "258063500000287", "258063500000386")
CLINIC, OTHER_CLINIC = "1690000014", "1750000018"
DOCTOR, SECOND = "801234567897", "810000000001"
PAUSES = tuple(timedelta(days=days) for days in (0, 1, 1, 14, 14, 31, 42, 92, 366, 3653))
# Types that some columns of the matrix open and others do not, and one that patients deposit.
TYPES = ("11488-4", "67851-6", "11502-2", "57833-6", "SYNTH", "DOCPAT03")
MASKED, HIDDEN, SECRET = "MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"
RESTRICTIONS = (
    (),
    (),
    (MASKED,),
    (HIDDEN,),
    (SECRET,),
    (SECRET,),
    (MASKED, HIDDEN),
    (MASKED, SECRET),
    (HIDDEN, SECRET),
)
WISHES = {
    "opposes_break_glass": ("oppose", "--break-glass"),
    "opposes_regulation": ("oppose", "--regulation"),
    "masked_in_emergency": ("allow", "--masked-in-emergency"),
    "occupational_consent": ("allow", "--occupational-doctor"),
}
LIFE = ("suspend", "resume", "close", "reactivate", "request_erasure", "oppose", "withdraw", "resume", "reactivate")
# Through the door; the second of a pair is what becomes visible, and to whom.
CHANGES = (
    "mask",
    "unmask",
    "make_visible_to_patient",
    "make_visible_to_representatives",
    "archive",
    "unarchive",
    "delete",
)
COMMANDS = ("mask", "unmask", "show-to-patient", "show-to-representatives", "archive", "unarchive", "delete")
SPECIALITIES, SECTIONS, ROLES = "1.2.250.1.71.4.2.5", "1.2.250.1.71.4.2.6", "1.2.250.1.213.1.6.1.107"


def _second(column: dict[str, str], profession: str) -> tuple[tuple[str, str], ...]:
    """What a VIHF says beside the profession, where the profession alone is not enough. 6.2"""
    if profession == "G15:10":
        return (("SM04", SPECIALITIES),)
    if profession == "G15:21":
        return ((column["cnop_sections"].split("|")[0], SECTIONS),)
    if profession == "R291:99":
        return (("318", ROLES), (column["genre_r22"], "1.2.250.1.213.1.6.1.19"))
    return ()


def _professionals() -> Iterator[Asker]:
    """One of each of the 19 columns, then those whom the tables treat in a way of their own."""
    for number, column in enumerate(rows("matrix_columns.csv"), start=1):
        profession = column["profession_keys"].split("|")[0]
        system, code = profession.split(":")
        roles = ((code, SYSTEMS[system]), *_second(column, profession))
        name, structure = f"8100000000{number:02}", (CLINIC, OTHER_CLINIC)[number % 2]
        yield Asker(label=column["column_id"], name=name, structure=structure, roles=roles, column=column["column_id"])
    doctor: tuple[tuple[str, str], ...] = (("10", G15), ("SM04", SPECIALITIES))
    yield Asker(label="doctor", name=DOCTOR, roles=doctor, column="medecin")
    yield Asker(label="second doctor", name=SECOND, roles=doctor, column="medecin")
    yield Asker(label="doctor by AIR", name=DOCTOR, roles=doctor, column="medecin", card="INDIRECTE_RENFORCEE")
    occupational = (doctor[0], ("SM25", SPECIALITIES))
    yield Asker(label="occupational doctor", name="810000000050", roles=occupational, column="medecin")
    yield Asker(label="in no column", name="810000000051", roles=(("35", G15),))
    office = (("SECRETARIAT_MEDICAL", "1.2.250.1.213.1.1.4.6"),)
    yield Asker(label="secretary by CPE", name="31690000014/secretary", roles=office)
    yield Asker(label="secretary by AIR", name="31690000014/secretary", roles=office, card="INDIRECTE_RENFORCEE")
    yield Asker(label="clinic", name="31690000014/system", roles=office, card="INDIRECTE")


PROFESSIONALS = tuple(_professionals())
FREQUENT = tuple(one for one in PROFESSIONALS if one.label in ("doctor", "second doctor", "infirmier", "clinic"))
PURPOSES = ("normal", "normal", "normal", "bris_de_glace", "centre_15")
PATIENT_SIDE = tuple(Asker(label="patient side", name=ins, card="INDIRECTE", side="patient") for ins in PERSONS)
ASKERS = (
    *(replace(one, purpose=purpose) for one in PROFESSIONALS for purpose in PURPOSES),
    *(replace(one, purpose=purpose) for one in FREQUENT for purpose in PURPOSES * 8),
    *PATIENT_SIDE * 30,
    *(replace(one, secret=True) for one in FREQUENT * 4),
)
# How often each step is taken, and from what its arguments are drawn.
