"""The tables that decide, as one value: the published ones lie in `schemas/policy`, a site may load newer ones."""

from dataclasses import dataclass
from functools import cache

from access_policy.matrix import Matrix, read_matrix
from access_policy.policy_file import PolicyFile, read_policy_file
from access_policy.rights import Rights, read_rights
from schemas import resource

_FOLDER = "policy"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tables:
    """Matrix and rights. `occupational_reading`: an occupational doctor reads with the holder's express consent.

    CSP L.1111-17 IV allows that, PDT-INF-526 does not; off unless a site says otherwise. `pharmacy_reading`: the holder
    of a CPE in a pharmacy reads what its pharmacist reads, as the deck of 2020 planned and PDT-INF-526 does not have it
    (DMP S45). Two are equal when they are one: what they decide is remembered under them.
    """

    matrix: Matrix
    rights: Rights
    occupational_reading: bool = False
    pharmacy_reading: bool = False


@cache
def published() -> Tables:
    """Those of the Cnam that come with the program."""
    return Tables(matrix=published_matrix(), rights=published_rights())


def published_matrix(matrix: PolicyFile | None = None) -> Matrix:
    """With another matrix where one is given. Raises BadPolicy."""
    return read_matrix(matrix or _file("matrix.csv"), _file("matrix_columns.csv"))


def published_rights(rights: PolicyFile | None = None) -> Rights:
    """With other rights of professionals where they are given. Raises BadPolicy."""
    return read_rights(rights or _file("rights.csv"), _file("holder_rights.csv"))


def _file(name: str) -> PolicyFile:
    return read_policy_file(resource(f"{_FOLDER}/{name}").read_text(encoding="utf-8"), name)
