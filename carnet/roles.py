"""Which actors a process plays: one alone, or several together."""

from collections.abc import Collection, Iterator
from enum import StrEnum


class Role(StrEnum):
    """An actor of a process, by the word of `--roles`. ITI TF-1: 10.1.1, 15.1.1, 33.1.1"""

    REGISTRY = "registry"
    REPOSITORY = "repository"
    RECIPIENT = "recipient"
    FHIR = "fhir"


ALL_ROLES = ",".join(Role)

# Role -> the one it works with in the same process.
_NEEDED = {Role.RECIPIENT: Role.REPOSITORY, Role.FHIR: Role.REGISTRY}

# Setting -> the role it is for.
SETTINGS_OF_ROLES = {
    "documents": Role.REPOSITORY,
    "documents_former": Role.REPOSITORY,
    "repository_id": Role.REPOSITORY,
    "scrub_mb_per_s": Role.REPOSITORY,
    "limited_metadata": Role.RECIPIENT,
    "mllp": Role.REGISTRY,
    "repositories": Role.FHIR,
}


def read_roles(text: str) -> frozenset[Role]:
    """Roles separated by commas. Raises ValueError."""
    words = [word.strip() for word in text.split(",")]
    unknown = [word for word in words if word not in set(Role)]
    if unknown:
        raise ValueError(f"found {', '.join(map(repr, unknown))}, expected some of {ALL_ROLES}")
    return frozenset(Role(word) for word in words)


def roles_rules(roles: Collection[Role], *, registry_url: str, given: Collection[str]) -> Iterator[str]:
    """What does not fit together, one sentence each; `given` are the settings that are not the default."""
    for role, needed in _NEEDED.items():
        if role in roles and needed not in roles:
            yield f"setting roles: {role} works with {needed} in the same process, found {', '.join(sorted(roles))}"
    if Role.REGISTRY in roles and registry_url:
        yield "setting registry_url: this process has the role registry itself, expected no URL of another"
    if Role.REPOSITORY in roles and Role.REGISTRY not in roles and not registry_url:
        yield "setting registry_url: a repository without the role registry needs the URL of its registry"
    for name, role in SETTINGS_OF_ROLES.items():
        if name in given and role not in roles:
            yield f"setting {name}: is for the role {role}, which this process does not have"
