"""Records for tests of what is done with records."""

from datetime import UTC, datetime

from access_policy.caller import AuthenticationMode, Caller, Credentials, Kind, Peer
from audit import outbox
from audit.dicom import read_message
from audit.objects import a_query
from audit.occurrence import Node, Occurrence
from audit.record import Record
from audit.recorder import AuditTrail
from audit.spool import Spool
from storage.unit_of_work import Units
from tests.builders import PATIENT
from xds.datatypes import Code

NODE = Node(id="node-1", site="1.2.250.1.999.1", url="https://xds.example.org", host="xds", process_id="4711")
PROFESSIONAL = Caller(
    name="801234567890",
    display_name="Jeanne Martin",
    roles=(
        Code(code="10", coding_scheme="1.2.250.1.71.1.2.7", display_name="Médecin"),
        Code(code="SM26", coding_scheme="1.2.250.1.71.4.2.5", display_name="Qualifié en médecine générale"),
    ),
    purposes=(Code(code="normal", coding_scheme="1.2.250.1.213.1.1.4.248", display_name="Accès normal"),),
    mode=AuthenticationMode.DIRECT,
    credentials=Credentials(
        kind=Kind.VIHF,
        assertion_id="_1",
        issuer="urn:example:sts",
        expires=datetime(2030, 1, 1, tzinfo=UTC),
        client="ab" * 32,
        signer="cd" * 32,
    ),
    peer=Peer(address="192.0.2.10", certificate="CN=client-1,O=Tilleuls,C=FR"),
)


def a_trail(units: Units, **given: object) -> AuditTrail:
    spool = Spool(0, on_alarm=lambda *_: None)
    return AuditTrail.of(NODE, units, spool) if not given else AuditTrail.of(NODE, units, **given)  # type: ignore[arg-type]


def kept(units: Units) -> list[Record]:
    """Every record of a database, oldest first."""
    with units.read() as connection:
        return [read_message(message) for _, message in outbox.find(connection, outbox.Question())]


def asked(number: int, text: str = "") -> Occurrence:
    """A query that can be told from others by its number."""
    query = f"<q n='{number}'>{text}</q>".encode(errors="surrogatepass")
    return Occurrence(event="ITI-18", patient=PATIENT.key, objects=(a_query("ITI-18", f"urn:n:{number}", query),))


def number_of(message: bytes) -> int:
    """The number of a record of `asked`; 0 for any other."""
    _, found, rest = message.partition(b'ParticipantObjectID="urn:n:')
    return int(rest.partition(b'"')[0]) if found else 0
