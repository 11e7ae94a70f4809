"""Who takes part in the demonstration: a test IGC, a server, the card of a doctor, and what the doctor shows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from access_policy.make_vihf import Vihf, make_vihf
from carnet.pki import Card, Credential, Structure, Use, issue_card, issue_server, issue_structure, make_igc
from carnet.pki_folder import read_credential, read_igc, write_credentials, write_igc
from carnet.proof import Proof, client_context
from xds.datatypes import CX, XCN, Code
from xds.metadata import Author

_ROLES = (
    Code(code="10", coding_scheme="1.2.250.1.71.1.2.7", display_name="Médecin"),
    Code(code="SM04", coding_scheme="1.2.250.1.71.4.2.5", display_name="Cardiologie"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """The folder of the IGC, and the doctor and clinic that the reports name as their author."""

    folder: Path
    doctor: Card
    clinic: Structure

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    @property
    def server(self) -> Path:
        return self._issued("server", Use.SERVER)

    @property
    def card(self) -> Path:
        """The pair of the card that opens connections."""
        return self._issued(self.doctor.identifier, Use.AUTHENTICATION)

    @property
    def signer(self) -> Credential:
        """The pair of the card that signs assertions and submissions. DMP 2: never the one that opens connections"""
        return read_credential(self._issued(self.doctor.identifier, Use.SIGNATURE))

    def proof(self, patient_id: CX) -> Proof:
        """Certificate, and a VIHF about this patient that is good for five minutes."""
        claim = Vihf(
            subject=self.doctor.identifier, structure=self.clinic.identifier, roles=_ROLES, patient_id=patient_id
        )
        now = datetime.now(UTC).replace(microsecond=0)
        assertion = make_vihf(claim, self.signer.certificate, self.signer.key, now=now)
        return Proof(context=client_context(self.card, None, self.trust), assertion=assertion)

    def commands(self, url: str) -> tuple[str, ...]:
        """What to type next."""
        roles = " ".join(f"--role {one.code}^^{one.coding_scheme}" for one in _ROLES)
        signature = self._issued(self.doctor.identifier, Use.SIGNATURE)
        shown = f"--client-certificate {self.card} --authorities {self.trust} --assertion vihf.xml"
        return (
            f"carnet vihf make {signature} --structure {self.clinic.identifier} {roles} "
            "--patient 258063523804186 -o vihf.xml",
            f"carnet find 258063523804186 --url {url} {shown}",
        )

    def _issued(self, name: str, use: Use) -> Path:
        return self.folder / "issued" / f"{name}-{use}.pem"


def make_identities(folder: Path, author: Author) -> Identities:
    """Those of an earlier run, or new ones. Raises PkiFailed."""
    now = datetime.now(UTC).replace(microsecond=0)
    person, institution = author.author_person or XCN(text=""), author.author_institution[0]
    doctor = Card(identifier=person.id, family=person.family, given=person.given)
    clinic = Structure(identifier=institution.id, name=institution.name)
    identities = Identities(folder=folder, doctor=doctor, clinic=clinic)
    if not (folder / "authorities").exists():
        write_igc(folder, make_igc(now=now), now=now)
    if not identities.card.exists():
        igc = read_igc(folder)
        server = issue_server(igc, ("localhost", "127.0.0.1"), now=now)
        write_credentials(folder, "server", {Use.SERVER: server})
        write_credentials(folder, clinic.identifier, issue_structure(igc, clinic, now=now))
        write_credentials(folder, doctor.identifier, issue_card(igc, doctor, now=now))
    return identities
