"""What a server claims, in TOML: a section for each profile it is to be tested on. Unknown names are errors."""

import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from conformance.failures import KitError
from conformance.sentence import Sentence, expected, reason
from conformance.tls import client_context

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How https is spoken: authorities to trust, our certificate with its key beside it (PEM)."""

    authorities: Path
    certificate: Path | None = None

    @property
    def key(self) -> Path | None:
        """In a file of its own; else it is in that of the certificate."""
        beside = None if self.certificate is None else self.certificate.with_suffix(".key")
        return beside if beside is not None and beside.exists() else None

    def context(self) -> ssl.SSLContext:
        """Raises KitError naming the file that cannot be used."""
        return client_context(self.authorities, self.certificate, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xds:
    """Registry and repository, judged by the NIST kit in `kit`. Patients become known in one way, as in `nist`."""

    kit: Path
    registry: str = ""
    repository: str = ""
    feed: str = ""
    feed_command: str = ""
    no_feed: bool = False
    patients: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""
    codes: Path | None = None
    xdr: str = ""
    xdr_limited: str = ""
    tests: tuple[str, ...] = ()
    skip_tests: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mhd:
    """The FHIR base; `kit` has request Bundles and TestScripts, without it the kit's own probes are run alone."""

    base: str
    kit: Path | None = None
    patient: str = ""
    tests: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dmp:
    """The services of the DMP. `data` is a data set of `python -m conformance data` that the server was fed with:
    its authorities are trusted, its patients known and their records in the states of `patients.csv`. A service of
    patients without an address of its own is at that of `patients`."""

    data: Path
    registry: str
    repository: str
    patients: str = ""
    patients_pdq: str = ""
    patients_specific: str = ""
    habilitations: str = ""
    repository_id: str = "1.2.250.1.213.4.1.1.1.2"
    wrapped: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfiguration:
    """A server and what it claims; a profile that is None is not claimed."""

    name: str
    tls: Tls | None = None
    xds: Xds | None = None
    mhd: Mhd | None = None
    dmp: Dmp | None = None
    timeout_seconds: float = 30.0

    @property
    def claims(self) -> tuple[str, ...]:
        """Profiles by name, in the order they are tested."""
        return tuple(name for name in ("xds", "mhd", "dmp") if getattr(self, name) is not None)


_SECTIONS: Mapping[str, type] = {"tls": Tls, "xds": Xds, "mhd": Mhd, "dmp": Dmp}


def read_configuration(path: Path) -> ServerConfiguration:
    """Read a file; paths in it are relative to its folder. Raises KitError naming section, name and value."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise KitError(Sentence(f"{path} : {reason(problem).fr}", f"{path}: {reason(problem)}")) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        fr, en = f"{path} n'est pas du TOML : {problem}", f"{path} is no TOML: {problem}"
        raise KitError(Sentence(fr, en)) from None
    given = {name: value for name, value in found.items() if name not in _SECTIONS}
    for name, kind in _SECTIONS.items():
        if name in found:
            given[name] = _section(kind, found[name], f"{path}: [{name}]", path.parent)
    configuration = _section(ServerConfiguration, given, str(path), path.parent)
    if not configuration.claims:
        fr, en = f"{path} ne déclare rien : attendu une section", f"{path} claims nothing: expected a section"
        raise KitError(Sentence(f"{fr} [xds], [mhd] ou [dmp]", f"{en} [xds], [mhd] or [dmp]"))
    return configuration


def _section(kind: type[Section], given: Any, where: str, folder: Path) -> Section:
    if not isinstance(given, Mapping):
        raise KitError(expected(repr(given), Sentence("une table", "a table"), about=where))
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            fr, en = f"{where} : {name} n'existe pas ; connus :", f"{where}: there is no {name}; known are"
            raise KitError(Sentence(f"{fr} {', '.join(known)}", f"{en} {', '.join(known)}"))
    for name, one in known.items():
        if name not in given and one.default is MISSING and one.default_factory is MISSING:
            raise KitError(Sentence(f"{where} : {name} manque", f"{where}: {name} is missing"))
    return kind(
        **{name: _value(str(known[name].type), value, f"{where}: {name}", folder) for name, value in given.items()}
    )


def _value(kind: str, value: Any, where: str, folder: Path) -> Any:
    """A value of TOML as the field wants it. `kind` is the annotation."""
    wanted = _KINDS.get(kind)
    if wanted is None:
        return value
    types, form = wanted
    if type(value) not in types:
        raise KitError(expected(repr(value), form, about=where))
    if "Path" in kind:
        return folder / value
    if kind.startswith("tuple"):
        return tuple(map(str, value))
    return float(value) if kind == "<class 'float'>" else value


_KINDS: Mapping[str, tuple[tuple[type, ...], Sentence]] = {
    "<class 'str'>": ((str,), Sentence("un texte", "a text")),
    "<class 'bool'>": ((bool,), Sentence("true ou false", "true or false")),
    "<class 'int'>": ((int,), Sentence("un nombre", "a number")),
    "<class 'float'>": ((int, float), Sentence("un nombre", "a number")),
    "<class 'pathlib.Path'>": ((str,), Sentence("un chemin", "a path")),
    "pathlib.Path | None": ((str,), Sentence("un chemin", "a path")),
    "tuple[str, ...]": ((list,), Sentence("une liste de textes", "a list of texts")),
    "collections.abc.Mapping[str, str]": ((dict,), Sentence("une table de textes", "a table of texts")),
}
