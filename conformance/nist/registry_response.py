"""Status and errors of an answer. ITI TF-3: 4.2.4."""

from dataclasses import dataclass

from lxml import etree

from conformance.nist.vocabulary import RS


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedError:
    """An attribute that is absent is None."""

    code: str | None
    context: str | None
    severity: str | None
    location: str | None = None

    @property
    def is_warning(self) -> bool:
        return (self.severity or "").endswith("Warning")

    def __str__(self) -> str:
        return f"{self.code}: {self.context}" + (f" (at {self.location})" if self.location else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryResponse:
    """`status` empty when the answer has none; `has_error_list` also when the list is empty."""

    status: str
    errors: tuple[ReturnedError, ...]
    has_error_list: bool

    @property
    def status_word(self) -> str:
        return self.status.rpartition(":")[2]

    @property
    def failures(self) -> tuple[ReturnedError, ...]:
        return tuple(error for error in self.errors if not error.is_warning)


def read_registry_response(payload: etree._Element) -> RegistryResponse:
    """The response a payload is, or holds as its RegistryResponse child."""
    inner = payload.find(f"{{{RS}}}RegistryResponse")
    response = payload if inner is None else inner
    errors = response.find(f"{{{RS}}}RegistryErrorList")
    found = () if errors is None else errors.findall(f"{{{RS}}}RegistryError")
    return RegistryResponse(
        status=response.get("status", ""),
        errors=tuple(
            ReturnedError(
                code=one.get("errorCode"),
                context=one.get("codeContext"),
                severity=one.get("severity"),
                location=one.get("location"),
            )
            for one in found
        ),
        has_error_list=errors is not None,
    )
