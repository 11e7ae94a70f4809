"""The habilitation matrix: which professions read which types of documents. CSP R.1111-46; DMP 12.2.

It says what the law allows by default, for reading alone: never for feeding, one's own documents, or the patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from access_policy.policy_file import BadPolicy, PolicyFile, alternatives, check_header
from xds.datatypes import Code

# Name of a terminology in the file -> its OID in the first role of a VIHF.
TERMINOLOGIES = {
    "G15": "1.2.250.1.71.1.2.7",
    "G16": "1.2.250.1.71.1.2.8",
    "R94": "1.2.250.1.213.1.6.1.4",
    "R291": "1.2.250.1.213.1.6.1.140",
}
SECTIONS, ROLES, ACTIVITIES = "1.2.250.1.71.4.2.6", "1.2.250.1.213.1.6.1.107", "1.2.250.1.213.1.6.1.19"
PHARMACIST = (TERMINOLOGIES["G15"], "21")
BY_ROLE = (TERMINOLOGIES["R291"], "99")
# Stands for imaging objects whose type is a procedure code, and so in no other row.
IMAGING = "DICOM_PROCEDURE"
_TYPE_COLUMNS = ("class_code", "type_code", "type_system", "type_display")
_FOR_READERS = "class_display"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One profession, or several that read the same; `professions` are (OID, code).

    A pharmacist needs one of `sections` (TRE_G05) too, an actor characterised by role one of `roles` (TRE_R85) or
    `activities` (TRE_R22).
    """

    id: str
    french: str
    english: str
    professions: frozenset[tuple[str, str]]
    sections: frozenset[str]
    roles: frozenset[str]
    activities: frozenset[str]

    def is_of(self, roles: Sequence[Code]) -> bool:
        """Whether callers with these roles, the profession first, belong to the column."""
        if not roles:
            return False
        profession = (roles[0].coding_scheme, roles[0].code)
        if profession not in self.professions:
            return False
        seconds = {(one.coding_scheme, one.code) for one in roles[1:]}
        if profession == PHARMACIST:
            return any((SECTIONS, one) in seconds for one in self.sections)
        if profession == BY_ROLE:
            wanted = {(ROLES, one) for one in self.roles} | {(ACTIVITIES, one) for one in self.activities}
            return not wanted.isdisjoint(seconds)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentType:
    """One row: a typeCode, or imaging objects; `key` is `code^^codingScheme`."""

    class_code: str
    code: str
    system: str
    display: str

    @property
    def key(self) -> str:
        return f"{self.code}^^{self.system}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Column id -> keys of the types it reads. A type in no row is read by nobody."""

    version: str
    source: str
    columns: tuple[Column, ...]
    types: tuple[DocumentType, ...]
    readable: Mapping[str, frozenset[str]]
    reads_imaging: frozenset[str]
    listed: frozenset[str]

    def column_of(self, roles: Sequence[Code]) -> Column | None:
        """The first column that the roles select; a person acts under one profession, so columns are never joined."""
        return next((one for one in self.columns if one.is_of(roles)), None)

    def permits(self, column: str, type_key: str, *, is_imaging: bool) -> bool:
        if type_key in self.listed or not is_imaging:
            return type_key in self.readable[column]
        return column in self.reads_imaging


def read_matrix(matrix: PolicyFile, columns: PolicyFile) -> Matrix:
    """Raises BadPolicy."""
    check_header(columns, "column_id", "label_fr", "label_en", "profession_keys", "cnop_sections")
    check_header(columns, "role_r85", "genre_r22")
    professions = tuple(_column(row, f"{columns.name}: line {line}") for line, row in columns.rows)
    _check_columns(matrix, professions)
    types, allowed = [], {one.id: set[str]() for one in professions}
    for line, row in matrix.rows:
        types.append(_type(row))
        for column in professions:
            if _is_allowed(row[column.id], f"{matrix.name}: line {line}: {column.id}"):
                allowed[column.id].add(types[-1].key)
    _check_once(types, matrix.name)
    imaging = next((one.key for one in types if one.code == IMAGING), "")
    return Matrix(
        version=matrix.version,
        source=matrix.source,
        columns=professions,
        types=tuple(types),
        readable={column: frozenset(keys - {imaging}) for column, keys in allowed.items()},
        reads_imaging=frozenset(column for column, keys in allowed.items() if imaging in keys),
        listed=frozenset(one.key for one in types if one.key != imaging),
    )


def _check_columns(matrix: PolicyFile, professions: Sequence[Column]) -> None:
    """A column of no profession would decide nothing, and nobody would know; nor would one without a type."""
    known = (*_TYPE_COLUMNS, *(one.id for one in professions))
    check_header(matrix, *known)
    unknown = [one for one in matrix.header if one not in (*known, _FOR_READERS)]
    if unknown or len(set(matrix.header)) != len(matrix.header):
        found = ", ".join(unknown) or "one twice"
        raise BadPolicy(f"{matrix.name}: columns: found {found}, expected {', '.join(known)}, each once")
    if not matrix.rows:
        raise BadPolicy(f"{matrix.name}: found no document type, expected at least one")


def _column(row: Mapping[str, str], where: str) -> Column:
    return Column(
        id=row["column_id"],
        french=row["label_fr"],
        english=row["label_en"],
        professions=frozenset(_profession(one, where) for one in alternatives(row["profession_keys"])),
        sections=frozenset(alternatives(row["cnop_sections"])),
        roles=frozenset(alternatives(row["role_r85"])),
        activities=frozenset(alternatives(row["genre_r22"])),
    )


def _profession(text: str, where: str) -> tuple[str, str]:
    name, _, code = text.partition(":")
    if name not in TERMINOLOGIES or not code:
        raise BadPolicy(
            f"{where}: profession_keys: found {text}, expected of {', '.join(TERMINOLOGIES)}, such as G15:10"
        )
    return TERMINOLOGIES[name], code


def _type(row: Mapping[str, str]) -> DocumentType:
    class_code, code, system, display = (row[one] for one in _TYPE_COLUMNS)
    return DocumentType(class_code=class_code, code=code, system=system, display=display)


def _is_allowed(text: str, where: str) -> bool:
    if text not in ("0", "1"):
        raise BadPolicy(f"{where}: found {text!r}, expected 1 or 0")
    return text == "1"


def _check_once(types: Sequence[DocumentType], name: str) -> None:
    keys = [one.key for one in types]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise BadPolicy(f"{name}: found twice: {', '.join(twice)}")
