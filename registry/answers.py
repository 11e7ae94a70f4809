"""From a request that changes the registry to its `rs:RegistryResponse`. ITI TF-3: 4.2.4."""

from collections.abc import Callable

from lxml import etree

from storage.unit_of_work import StorageFailed
from xds.ebrim.response import registry_response
from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, RegistryError, Rejected, metadata_error


def registry_answer(
    body: etree._Element,
    work: Callable[[], object],
    *,
    finding: Callable[[str], RegistryError] = metadata_error,
) -> bytes:
    """Do the work on a body that obeys its schema; what is wrong becomes a Failure with every error."""
    try:
        findings = schema_findings(body)
        if findings:
            raise Rejected(finding(str(one)) for one in findings)
        work()
    except Rejected as rejected:
        return registry_response(rejected.errors)
    except StorageFailed:
        context = "the registry could not store the metadata; try again"
        return registry_response([RegistryError(code=ErrorCode.REGISTRY, context=context)])
    return registry_response()
