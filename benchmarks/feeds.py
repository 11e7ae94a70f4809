"""Messages that make a new patient known: ITI-8 by HL7 v2 and MLLP, ITI-44 by HL7 v3 and SOAP."""

from benchmarks.new_persons import new_person
from benchmarks.records import holds
from benchmarks.requests import Request, Workload, simple_request
from tests.hl7v3.written import ii, v3_message
from tests.mllp import adt

_BY_HL7V2, _BY_HL7V3 = 3 * 10**6, 4 * 10**6
_ADDED = "PRPA_IN201301UV02"
IS_TAKEN, IS_ACKNOWLEDGED = holds(b"\rMSA|AA|"), holds(b'typeCode code="CA"')


def fed_by_hl7v2(_workload: Workload, number: int) -> Request:
    """A patient is registered [ITI-8]."""
    return Request(path="", body=adt("A04", str(new_person(_BY_HL7V2 + number)), control=f"{number:09d}").encode())


def fed_by_hl7v3(_workload: Workload, number: int) -> Request:
    """A patient is added [ITI-44]."""
    patient = new_person(_BY_HL7V3 + number)
    body = v3_message(_ADDED, ii(patient.id, patient.authority))
    return simple_request("/xds/registry", body, f"urn:hl7-org:v3:{_ADDED}")
