"""codeContext names the offending value."""

import pytest

from conformance.nist.error_context import check_context
from conformance.nist.registry_response import ReturnedError
from tests.conformance.kits import element

REQUEST = element(
    '<x:Request><r:RegistryObjectList><r:ExtrinsicObject id="urn:uuid:1">'
    '<r:ExternalIdentifier identificationScheme="urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427" value="P77^^^&amp;1.2&amp;ISO"/>'
    '<r:ExternalIdentifier identificationScheme="urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab" value="1.2.3"/>'
    "</r:ExtrinsicObject></r:RegistryObjectList><x:DocumentUniqueId>1.2.4</x:DocumentUniqueId></x:Request>"
)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("XDSUnknownPatientId", "P77"),
        ("XDSNonIdenticalHash", "1.2.3"),
        ("UnresolvedReferenceException", "urn:uuid:1"),
        ("XDSDocumentUniqueIdError", "1.2.4"),
    ],
)
def test_the_value_must_be_in_context_or_location(code: str, value: str) -> None:
    def findings(context: str, location: str = "") -> list[str]:
        error = ReturnedError(code=code, context=context, severity="Error", location=location)
        found = list(check_context(REQUEST, (error,)))
        assert all(one.is_remark for one in found)
        return [one.reason for one in found]

    assert findings(f"it is {value} that is wrong") == findings("see there", value) == []
    assert findings("something is wrong") == [f"codeContext of {code} does not name the value"]


def test_codes_for_which_no_value_is_demanded_are_let_pass() -> None:
    error = ReturnedError(code="XDSRegistryError", context="x", severity="Error")
    assert list(check_context(REQUEST, (error,))) == []
