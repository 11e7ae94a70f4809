"""The validator of HL7 as one JVM per batch: resources against R4 and the profiles that each names, nothing fetched."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.peers.batch import run_batch
from conformance.peers.maven_build import HAPI

VALIDATOR = "peers.hapi.Validator"
VALIDATOR_SECONDS = 600
_ERRORS = ("error", "fatal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding: `severity` fatal, error, warning or information; `location` as FHIRPath."""

    file: str
    severity: str
    location: str
    message: str

    @property
    def is_error(self) -> bool:
        return self.severity in _ERRORS


def validate(
    resources: Sequence[Path],
    *,
    packages: Sequence[Path],
    report: Path,
    definitions: Sequence[Path] = (),
    extensions: Sequence[str] = (),
) -> tuple[Finding, ...]:
    """Every finding; `packages` are FHIR packages, that of the core first. Raises PeerError.

    `definitions` are single resources that packages lack, `extensions` URLs below which extensions are not known.
    """
    options = {"--package": packages, "--definition": definitions, "--extension": extensions}
    named = [word for option, values in options.items() for value in values for word in (option, str(value))]
    run_batch(
        HAPI,
        VALIDATOR,
        [*named, *map(str, resources)],
        name="the validator of HL7",
        report=report,
        seconds=VALIDATOR_SECONDS,
    )
    found = json.loads(report.read_text(encoding="utf-8"))
    return tuple(Finding(file=Path(file).name, **one) for file, findings in found.items() for one in findings)
