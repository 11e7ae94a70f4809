"""What a service of the record answers: its code, what it says beside it, and what it lists. DMP 3."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import click
from lxml import etree

from carnet.exchange import ClientError
from carnet.options import print_result
from hl7v3.person import read_person

REFUSED = 1
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a service of the record answered: `AA`, `OK`, `DMPOk`, or the code of a refusal; details by name.

    `rows`: records, professionals or persons that it lists.
    """

    code: str
    details: Mapping[str, str]
    rows: tuple[Row, ...] = ()

    @property
    def is_success(self) -> bool:
        return self.code in ("AA", "OK", "NF", "DMPOk")


def read_said(payload: etree._Element) -> Said:
    """The code of an answer: the refusal, else the query's, else the acknowledgement. Raises ClientError."""
    status = payload.findtext("{*}status")
    return _of_service(payload, status) if status is not None else _of_hl7(payload)


def _of_service(payload: etree._Element, status: str) -> Said:
    told = dict(_fields(payload))
    rows = tuple(dict(_fields(one)) for one in payload.iterchildren(etree.Element) if len(one))
    return Said(code=status, details={name: text for name, text in told.items() if name != "status"}, rows=rows)


def _fields(element: etree._Element) -> Iterator[tuple[str, str]]:
    """Children without children, by local name."""
    for one in element.iterchildren(etree.Element):
        if not len(one):
            yield etree.QName(one).localname, (one.text or "").strip()


def _of_hl7(payload: etree._Element) -> Said:
    refusal = payload.find(".//{*}acknowledgementDetail/{*}code")
    response = payload.find(".//{*}queryResponseCode")
    acknowledgement = payload.find(".//{*}acknowledgement")
    if acknowledgement is None:
        raise ClientError(f"the server answered {etree.QName(payload).localname}, expected an acknowledgement")
    typed = acknowledgement.find("{*}typeCode")
    found = next((one for one in (refusal, response, typed) if one is not None), None)
    code = acknowledgement.get("typeCode", "") if found is None else found.get("code", "")
    details = {}
    for line in payload.iter("{*}attentionLine"):
        parts = [one.get("code") or one.get("value") or "" for one in line.iterchildren(etree.Element)]
        details[parts[0] if parts else ""] = parts[-1] if parts else ""
    text = payload.findtext(".//{*}acknowledgementDetail/{*}text")
    rows = tuple(dict(_of_person(one)) for one in payload.iterfind(".//{*}subject1/{*}patient"))
    return Said(code=code, details=details | ({"text": text} if text else {}), rows=rows)


def _of_person(patient: etree._Element) -> Iterator[tuple[str, str]]:
    """Whose record it is, what is known of the person, what they oppose, how well a search is met."""
    identifier, person = patient.find("{*}id"), read_person(patient.find("{*}patientPerson"))
    told = {
        "ins": "" if identifier is None else identifier.get("extension", ""),
        "family": person.birth_family,
        "given": " ".join(person.given),
        "gender": person.gender,
        "born": person.birth_time,
        "telecoms": " ".join(person.telecoms),
    }
    yield from ((name, value) for name, value in told.items() if value)
    for name in ("queryMatchObservation", "administrativeObservation"):
        for one in patient.iter(f"{{*}}{name}"):
            code, value = one.find("{*}code"), one.find("{*}value")
            if code is not None and value is not None:
                yield code.get("code", ""), value.get("value", "")


def print_said(said: Said, as_json: bool) -> None:
    """On the terminal; exit code 1 for a refusal."""
    lines = (f"{said.code}  {_shown(said.details)}", *map(_shown, said.rows))
    print_result(asdict(said), "\n".join(lines).rstrip(), as_json)
    if not said.is_success:
        raise click.exceptions.Exit(REFUSED)


def _shown(told: Row) -> str:
    return ", ".join(f"{name} {value}".strip() for name, value in told.items())
