"""What the client of a measurement shows a secured server: its certificate, and an assertion for each patient."""

import base64
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from access_policy.make_vihf import make_vihf, security_header
from benchmarks.requests import Request
from carnet.pki_folder import read_credential
from carnet.proof import Proof, client_context
from tests import sts
from xds.datatypes import CX

_LIFE = timedelta(hours=4)
_END_OF_HEADER = b"</env:Header>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Names of files: authorities of the server, empty for plain HTTP; certificate of the client; who signs."""

    trust: str = ""
    certificate: str = ""
    signer: str = ""

    def proof(self) -> Proof:
        """What opens the connection."""
        return Proof(context=client_context(Path(self.certificate), None, Path(self.trust)) if self.trust else None)


NOTHING = Shown()


class Signed(NamedTuple):
    """One assertion, as the header of an envelope and as a token."""

    header: bytes
    token: str


@dataclass(slots=True)
class Assertions:
    """A VIHF for each patient, signed once: clients reuse one while it is valid. DECISIONS 1"""

    signer: str
    _signed: dict[str, Signed] = field(default_factory=dict)

    def in_message(self, request: Request, patient_id: CX) -> Request:
        """The request with wsse:Security in its envelope, a GET with a token; as it was where nobody signs."""
        if not self.signer:
            return request
        if patient_id.key not in self._signed:
            self._signed[patient_id.key] = self._sign(patient_id)
        header, token = self._signed[patient_id.key]
        if request.method == "GET":
            return replace(request, authorization=token)
        return replace(request, body=request.body.replace(_END_OF_HEADER, header + _END_OF_HEADER, 1))

    def _sign(self, patient_id: CX) -> Signed:
        signer, now = read_credential(Path(self.signer), Path(self.signer)), datetime.now(UTC).replace(microsecond=0)
        claim = sts.a_claim(patient_id=patient_id, life=_LIFE)
        return shown_as(make_vihf(claim, signer.certificate, signer.key, now=now))


def shown_as(assertion: etree._Element) -> Signed:
    """The header of SOAP and the Authorization of FHIR that show this assertion."""
    token = base64.urlsafe_b64encode(etree.tostring(assertion, with_tail=False)).decode()
    return Signed(header=security_header(assertion), token=f"Bearer {token}")
