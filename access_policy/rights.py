"""Functional rights: which actor may do what, by authentication and access mode. DMP 12.1 (PDT-INF-526, -606)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from access_policy.policy_file import BadPolicy, PolicyFile, check_header


class Action(StrEnum):
    """What is asked for. The first three are several rows of the table at once, the others one."""

    READ = "document.read"
    SEARCH = "document.search"
    FEED = "document.feed"
    SEARCH_METADATA = "document.search_metadata"
    SEARCH_REFERENCE = "document.search_reference"
    SUBMIT = "document.submit"
    SUBMIT_BY_CPE = "document.submit_by_cpe"
    READ_UNMASKED = "document.read_unmasked"
    READ_MASKED = "document.read_masked"
    READ_HIDDEN = "document.read_hidden_from_patient"
    READ_HIDDEN_FROM_REPRESENTATIVES = "document.read_hidden_from_representatives"
    READ_ARCHIVED = "document.read_archived"
    READ_OBSOLETE = "document.read_obsolete"
    READ_DELETED = "document.read_deleted"
    MASK = "document.mask"
    UNMASK = "document.unmask"
    MAKE_VISIBLE = "document.make_visible_to_patient"
    ARCHIVE = "document.archive"
    UNARCHIVE = "document.unarchive"
    DELETE = "document.delete"
    TEST_EXISTENCE = "record.test_existence"
    LIST_AUTHORIZED = "record.list_authorized"
    READ_ADMIN_DATA = "record.read_admin_data"
    DECLARE_SELF = "authorization.declare_self"
    REMOVE_SELF = "authorization.remove_self"
    LIST_PROFESSIONALS = "authorization.list_professionals"
    DROP_TREATING_DOCTOR = "treating_doctor.remove_self"
    SEARCH_WITHOUT_INS = "patient.search_without_ins"
    ACQUIRE_IDENTITY = "patient.identity_acquire"
    AUTHENTICATE = "session.authenticate"
    WEB_ACCESS = "web.contextual_access"


CHANGES = (Action.MASK, Action.UNMASK, Action.MAKE_VISIBLE, Action.ARCHIVE, Action.UNARCHIVE, Action.DELETE)


class Authentication(StrEnum):
    """What a caller was authenticated by. DMP 6.4"""

    CPS = "direct_cps"
    CPE = "direct_cpe"
    INDIRECT = "indirect"
    AIR = "air"
    PORTAL = "patient_portal"


class Actor(StrEnum):
    """In what quality a caller acts. DMP 12.4"""

    PROFESSIONAL = "non_doctor_ps"
    DOCTOR = "doctor"
    TREATING_DOCTOR = "treating_doctor"
    OCCUPATIONAL_DOCTOR = "occupational_doctor"
    CPE_HOLDER = "cpe_holder"
    FACILITY = "facility_certificate"
    NOT_PROFESSIONAL = "non_ps"
    PATIENT = "patient"
    REPRESENTATIVE = "representative"


class Mode(StrEnum):
    """Access mode. DMP 6.5"""

    NORMAL = "normal"
    REGULATION = "regulation"
    BREAK_GLASS = "break_glass"
    ANY = "any"


class Grade(StrEnum):
    """What a cell says."""

    ALLOW = "allow"
    DENY = "deny"
    OWN_ONLY = "own_only"
    STRUCTURE_ONLY = "structure_only"
    IF_PATIENT_ALLOWED = "if_patient_allowed"
    REFERENCE_ONLY = "reference_only"
    AS_STRUCTURE = "allow_as_structure"
    FOR_STRUCTURE = "allow_for_structure"
    SAME_STRUCTURE = "same_structure_list"
    NEW_AUTHORISATIONS = "new_authorizations_list"
    RETIRED = "retired"


ANY_DOCUMENT, PATIENT_AUTHORED = "any", "patient_authored"
_OF_READING = tuple(one for one in Action if one.startswith(("document.read", "document.search")))
_GRADES_OF_READING = (Grade.ALLOW, Grade.DENY, Grade.OWN_ONLY, Grade.IF_PATIENT_ALLOWED, Grade.REFERENCE_ONLY)
_KEY = ("action", "auth", "actor", "mode", "document_scope")


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """The cell that answers; `rule` is its place in the table, `right:absent` where there is none: that denies."""

    grade: Grade
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Cells by action, authentication, actor, mode and scope."""

    version: str
    source: str
    cells: Mapping[tuple[str, ...], Grade]

    def right(
        self, action: Action, auth: Authentication, actor: Actor, mode: Mode, *, by_patient: bool = False
    ) -> Right:
        """A cell for documents of the holder wins where the document is one; `any` stands for every mode."""
        for scope in (PATIENT_AUTHORED, ANY_DOCUMENT) if by_patient else (ANY_DOCUMENT,):
            for one in (mode, Mode.ANY):
                grade = self.cells.get((action, auth, actor, one, scope))
                if grade is not None:
                    suffix = "" if scope == ANY_DOCUMENT else f"/{scope}"
                    return Right(grade=grade, rule=f"right:{action}/{auth}/{actor}/{one}{suffix}={grade}")
        return Right(grade=Grade.DENY, rule=f"right:{action}/{auth}/{actor}/{mode}=absent")


def read_rights(*files: PolicyFile) -> Rights:
    """The cells of all files; where several have one, that of the first. Raises BadPolicy."""
    cells: dict[tuple[str, ...], Grade] = {}
    for file in files:
        cells = {**_cells(file), **cells}
    return Rights(
        version="; ".join(one.version for one in files), source="; ".join(one.source for one in files), cells=cells
    )


def _cells(file: PolicyFile) -> dict[tuple[str, ...], Grade]:
    check_header(file, *_KEY, "decision")
    cells: dict[tuple[str, ...], Grade] = {}
    for line, row in file.rows:
        where = f"{file.name}: line {line}"
        _check(row, where)
        key = tuple(row[one] for one in _KEY)
        if key in cells:
            raise BadPolicy(f"{where}: found {'/'.join(key)} twice")
        cells[key] = Grade(row["decision"])
    return cells


def _values(kind: type[StrEnum]) -> tuple[str, ...]:
    return tuple(str(one) for one in kind)


_KNOWN = {
    "action": _values(Action),
    "auth": _values(Authentication),
    "actor": _values(Actor),
    "mode": _values(Mode),
    "decision": _values(Grade),
}


def _check(row: Mapping[str, str], where: str) -> None:
    for name, values in _KNOWN.items():
        if row[name] not in values:
            raise BadPolicy(f"{where}: {name}: found {row[name]}, expected one of {', '.join(values)}")
    scope, action, grade = row["document_scope"], Action(row["action"]), Grade(row["decision"])
    if scope != ANY_DOCUMENT and not (scope == PATIENT_AUTHORED and action in CHANGES):
        raise BadPolicy(f"{where}: document_scope: found {scope}, expected any, or patient_authored for a change")
    if action in _OF_READING and grade not in _GRADES_OF_READING:
        raise BadPolicy(f"{where}: decision: found {grade}, expected one of {', '.join(_GRADES_OF_READING)}")
