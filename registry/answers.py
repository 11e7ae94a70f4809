"""From a request that changes the registry to its `rs:RegistryResponse`. ITI TF-3: 4.2.4."""

from collections.abc import Callable, Sequence

from lxml import etree

from access_policy.caller import Caller
from registry.store import Registry
from storage.unit_of_work import StorageFailed, UnitOfWork
from xds.ebrim.read import Reading, read_submission
from xds.ebrim.response import registry_response
from xds.ebrim.schema import schema_findings
from xds.errors import ErrorCode, RegistryError, Rejected, metadata_error


def registry_answer(
    body: etree._Element,
    work: Callable[[], Sequence[RegistryError]],
    *,
    finding: Callable[[str], RegistryError] = metadata_error,
) -> bytes:
    """Do the work on a body that obeys its schema; what is wrong becomes a Failure with every error.

    The work returns warnings, which a Success carries.
    """
    try:
        findings = schema_findings(body)
        if findings:
            raise Rejected(finding(str(one)) for one in findings)
        warnings = work()
    except Rejected as rejected:
        return registry_response(rejected.errors)
    except StorageFailed as problem:
        return registry_response([storage_error(problem)])
    return registry_response(warnings)


def submission_answer(
    registry: Registry,
    body: etree._Element,
    caller: Caller,
    handle: Callable[[Registry, UnitOfWork, Reading, Caller], object],
) -> bytes:
    """`lcm:SubmitObjectsRequest` -> `rs:RegistryResponse`, for each transaction that carries metadata."""

    def work() -> Sequence[RegistryError]:
        reading = read_submission(body)
        registry.units.write(lambda unit: handle(registry, unit, reading, caller))
        return reading.warnings

    return registry_answer(body, work)


def storage_error(problem: StorageFailed) -> RegistryError:
    """What a requester is told of a database that cannot be used now. ITI TF-3: Table 4.2.4.1-2"""
    if problem.is_full:
        context = "no space is left for metadata; nothing was stored, try again later"
        return RegistryError(code=ErrorCode.REGISTRY_OUT_OF_RESOURCES, context=context)
    if problem.is_busy:
        context = "the registry's database is held by others; nothing was stored, try again"
        return RegistryError(code=ErrorCode.REGISTRY_BUSY, context=context)
    return RegistryError(code=ErrorCode.REGISTRY, context="the registry's database cannot be used now; try again later")
