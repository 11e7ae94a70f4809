"""One finding of the FHIR door, as an OperationOutcome names it. FHIR R4 OperationOutcome."""

from typing import NamedTuple


class Issue(NamedTuple):
    """Issue code, one sentence without patient data, the FHIRPath of the element, and an error code of XDS or MHD."""

    code: str
    diagnostics: str
    expression: str = ""
    error_code: str = ""
    severity: str = "error"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"
