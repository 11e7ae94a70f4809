"""The record transactions on a database of their own, and those who ask for them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from lxml import etree

from access_policy.caller import AuthenticationMode, Caller, PurposeOfUse
from access_policy.tables import published
from dmp import rights as acts
from dmp import (
    td0_2_record_existence,
    td0_3_set_authorization,
    td1_record_requests,
)
from dmp.actor import OPERATOR
from dmp.record import HolderKind
from dmp.record_desk import RecordDesk
from dmp.records import Records
from dmp.rights import Whom
from dmp.sql import events, records
from schemas import resource
from storage.unit_of_work import UnitOfWork, Units
from tests.hl7v3 import record_messages as written
from xds.datatypes import CX, Code

NOW = "20260310093000"
G15, SPECIALITIES, SECTORS = "1.2.250.1.71.1.2.7", "1.2.250.1.71.4.2.5", "1.2.250.1.71.4.2.4"
PATIENT = CX.of(id=written.INS, authority=written.TEST_NIR)
DOCTOR = Caller(
    name="801234567897",
    display_name="SOIGNANT PAUL",
    roles=(Code(code="10", coding_scheme=G15), Code(code="SM26", coding_scheme=SPECIALITIES)),
    organisations=("1750000001",),
    sector=Code(code="SA07", coding_scheme=SECTORS),
    mode=AuthenticationMode.DIRECT,
    purpose=PurposeOfUse.NORMAL,
    purposes=(Code(code="normal", coding_scheme="1.2.250.1.213.1.1.4.248"),),
    patient_id=PATIENT,
)
NURSE = replace(DOCTOR, name="801234567898", roles=(Code(code="60", coding_scheme=G15),))
CONSENTS = written.observation("CONSENTEMENT_OUVERTURE_DMP", "true")
CREATE, REVISE = "PRPA_IN201311UV02", "PRPA_IN201314UV02"


class Desk:
    """The service with a clock that tests move, and the persons it told the registry of."""

    def __init__(self, units: Units) -> None:
        self.now, self.known = NOW, list[str]()
        self.service = RecordDesk(
            units=units,
            records=Records(),
            tables=published(),
            now=lambda: self.now,
            make_known=self._make_known,
        )

    def _make_known(self, _unit: UnitOfWork, patient: CX, _caller: Caller) -> None:
        self.known.append(patient.key)

    def ask(self, soap: Callable[..., bytes], message: bytes, caller: Caller = DOCTOR) -> etree._Element:
        asked = etree.fromstring(message)
        answer = etree.fromstring(soap(self.service, asked, caller))
        schema_of(answer).assertValid(answer)
        return answer

    def request(self, name: str, reason: str, caller: Caller = DOCTOR, **given: Any) -> tuple[str, str]:
        """(acknowledgement, code of its detail)."""
        answer = self.ask(td1_record_requests.soap, written.record_request(name, reason, **given), caller)
        code = answer.xpath("string(//*[local-name()='acknowledgementDetail']/*[local-name()='code']/@code)")
        return str(answer.xpath("string(//*[local-name()='acknowledgement']/@typeCode)")), str(code)

    def opened(self, **given: Any) -> "Desk":
        assert self.request(CREATE, "CREA_RD", **({"observations": CONSENTS} | given)) == ("AA", "")
        return self

    def simple(self, soap: Callable[..., bytes], name: str, caller: Caller = DOCTOR, **fields: str) -> etree._Element:
        inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in fields.items())
        return self.ask(soap, f'<{name} xmlns="urn:si-dmp-habilitations">{inside}</{name}>'.encode(), caller)

    def authorise(self, action: str, caller: Caller = DOCTOR, **fields: str) -> str:
        answer = self.simple(td0_3_set_authorization.soap, "setAuthorization", caller, action=action, **fields)
        return text(answer, "status")

    def existence(self, caller: Caller = DOCTOR) -> dict[str, str]:
        answer = self.ask(td0_2_record_existence.soap, written.record_query(), caller)
        return {
            "found": value(answer, "queryResponseCode/@code"),
            "authorised": value(answer, "attentionLine[*/@code='AUTORISATION']/*[2]/@code"),
            "treating": value(answer, "attentionLine[*/@code='STATUT_MT']/*[2]/@value"),
            "status": value(answer, "patient/*[local-name()='statusCode']/@code"),
        }

    def events(self) -> list[tuple[str, str]]:
        with self.service.units.read() as connection:
            record = records.find(connection, PATIENT.key)
            if record is None:
                found = events.of_nobody(connection, PATIENT.key)
            else:
                found = events.all_of(connection, record.key)
        return [(str(one.act), one.refusal) for one in found]


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(resource(f"xsd/{name}.xsd")))


def schema_of(answer: etree._Element) -> etree.XMLSchema:
    """The schema that the description of the service gives for an answer."""
    return _schema(
        {
            "urn:hl7-org:v3": "hl7v3_records",
            "asip:ci-sis:gdp:2010": "dmp_records",
            "urn:si-dmp-patients": "dmp_patients",
            "urn:si-dmp-habilitations": "dmp_habilitations",
        }[str(etree.QName(answer).namespace)]
    )


def value(answer: etree._Element, path: str) -> str:
    first, _, rest = path.partition("/")
    name, bracket, condition = first.partition("[")
    return str(answer.xpath(f"string(//*[local-name()='{name}']{bracket}{condition}/{rest})"))


def text(answer: etree._Element, tag: str) -> str:
    return str(answer.findtext(f"{{*}}{tag}"))


def blocked(desk: Desk, name: str, kind: HolderKind = HolderKind.PROFESSIONAL) -> None:
    whom, given = Whom(id=name, kind=kind), {"by": OPERATOR, "now": desk.now}
    desk.service.units.write(lambda unit: acts.block(desk.service.records, unit, PATIENT.key, whom, **given))
