"""Reports of a passed step: the values that later steps ask for by name."""

import hashlib
from collections.abc import Iterator, Mapping

from lxml import etree

from conformance.failures import StepFailed
from conformance.nist.assertions import string_value
from conformance.nist.log_tree import StepLog
from conformance.nist.mtom import octets_of_base64
from conformance.nist.testplan import Report
from conformance.nist.vocabulary import XDS_B
from conformance.nist.xml import local_name, text_of
from conformance.sentence import Sentence


def planned_reports(log: StepLog, reports: tuple[Report, ...]) -> dict[str, str]:
    """Reports of the plan. The XPath starts at the first element of the given name; `//` at this step's log.

    Raises StepFailed for an XPath that cannot be evaluated or a section that the log lacks.
    """
    return {report.name: _value(log, report) for report in reports}


def _value(log: StepLog, report: Report) -> str:
    context = next((one for one in log.transaction.iter("*") if local_name(one) == report.section), None)
    if context is None:
        raise StepFailed(
            Sentence(
                f"rapport {report.name} : le journal de l'étape n'a pas de {report.section}",
                f"report {report.name}: the log of the step has no {report.section}",
            )
        )
    try:
        return string_value(context, report.xpath)
    except etree.XPathError as problem:
        raise StepFailed(
            Sentence(
                f"rapport {report.name} : XPath impossible à évaluer ({problem}) : {report.xpath}",
                f"report {report.name}: the XPath cannot be evaluated ({problem}): {report.xpath}",
            )
        ) from None


def automatic_reports(log: StepLog, external: Mapping[str, str]) -> dict[str, str]:
    """External parameters, `<symbol>_uid`, `<symbol>_uuid`, and the facts of retrieved documents."""
    reports = dict(external)
    for section, suffix in (("AssignedUids", "_uid"), ("AssignedUuids", "_uuid")):
        for assigned in log.transaction.findall(f"{section}/Assign"):
            reports[assigned.get("symbol", "") + suffix] = assigned.get("id", "")
    return reports | dict(_retrieved(log.transaction))


def _retrieved(transaction: etree._Element) -> Iterator[tuple[str, str]]:
    for number, response in enumerate(transaction.iterfind(f"Result//{{{XDS_B}}}DocumentResponse")):
        octets = octets_of_base64(_child(response, "Document")) or b""
        yield f"$repuid_doc{number}$", _child(response, "RepositoryUniqueId")
        yield f"$mimetype_doc{number}$", _child(response, "mimeType")
        yield f"$home_doc{number}$", _child(response, "HomeCommunityId")
        yield f"$hash_doc{number}$", hashlib.sha1(octets).hexdigest()
        yield f"$size_doc{number}$", str(len(octets))


def _child(response: etree._Element, name: str) -> str:
    found = response.find(f"{{{XDS_B}}}{name}")
    return "" if found is None else text_of(found)
