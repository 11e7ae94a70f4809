"""The validator of HL7 as one JVM per batch: resources against R4 and the profiles that each names, nothing fetched."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.peers.maven_build import HAPI, PeerError, java_command

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
    command = java_command(HAPI, VALIDATOR, *named, "--report", str(report), *map(str, resources))
    try:
        finished = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=VALIDATOR_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise PeerError(f"the validator of HL7 did not end within {VALIDATOR_SECONDS} seconds") from late
    if not report.is_file():
        raise PeerError(f"the validator of HL7 wrote no report (exit code {finished.returncode}): {finished.stdout}")
    found = json.loads(report.read_text(encoding="utf-8"))
    return tuple(Finding(file=Path(file).name, **one) for file, findings in found.items() for one in findings)
