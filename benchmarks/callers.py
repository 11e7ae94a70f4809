"""Processor time of each step from a message to its caller: `python -m benchmarks.callers`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from access_policy.authentication import Authenticator, Rules, identify
from access_policy.make_vihf import Vihf, make_vihf, security_header
from access_policy.security_header import find_assertion
from access_policy.signed_assertion import read_unverified, verify
from access_policy.trust import Trust
from access_policy.vihf import VihfRules
from access_policy.vihf_attributes import Expected
from carnet.domains import INS_AUTHORITIES
from carnet.pki import Card, Use, issue_card, make_igc, revocation_list
from xds.datatypes import CX, Code
from xds.xml import parse

_TIMES = 500


class _NoMemory:
    """Every use is the first: what a database costs is measured with the transactions."""

    def first_client(self, *, issuer: str, assertion_id: str, client: str, until: datetime, now: datetime) -> None:
        return None


def milliseconds(step: Callable[[], object]) -> float:
    """Processor time of one call, over many."""
    step()
    began = time.process_time()
    for _ in range(_TIMES):
        step()
    return (time.process_time() - began) * 1000 / _TIMES


def steps() -> dict[str, float]:
    """Each step and its milliseconds."""
    now = datetime.now(UTC).replace(microsecond=0)
    igc = make_igc(now=now)
    card = issue_card(igc, Card(identifier="801234567897", family="VILLARD", given="ÉLISE"), now=now)
    lists = [revocation_list(one, (), now=now - timedelta(hours=1)) for one in igc.authorities]
    authorities = [igc.persons.certificate, igc.organisations.certificate]
    trust = Trust([igc.root.certificate], authorities, lists)
    rules = Rules(trust=trust, vihf=VihfRules(expected=Expected(patient_authorities=INS_AUTHORITIES)))
    signer, client = card[Use.SIGNATURE], card[Use.AUTHENTICATION]
    envelope = parse(_message(make_vihf(_claim(), signer.certificate, signer.key, now=now)))
    found = find_assertion(envelope, now=now, skew=rules.skew, loose_id=True)
    unverified = read_unverified(found)
    authenticator = Authenticator(rules, _NoMemory(), now=lambda: now)
    return {
        "an assertion known already": milliseconds(lambda: authenticator.caller(envelope, client.der)),
        "verified anew, chains known": milliseconds(lambda: identify(unverified, client.certificate, rules, now=now)),
        "of it the signature": milliseconds(lambda: verify(unverified, signer.certificate, now=now)),
        "a chain verified anew": milliseconds(
            lambda: Trust([igc.root.certificate], authorities, lists).chain(signer.certificate, now=now)
        ),
    }


def _claim() -> Vihf:
    roles = tuple(Code.parse(one) for one in ("10^^1.2.250.1.71.1.2.7", "SM04^^1.2.250.1.71.4.2.5"))
    patient = CX.of(id="258063523804186", authority="1.2.250.1.213.1.4.10", type_code="NH")
    return Vihf(subject="801234567897", structure="1690000014", roles=roles, patient_id=patient)


def _message(assertion: object) -> bytes:
    text = b'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Header>%s</e:Header><e:Body><q/></e:Body></e:Envelope>'
    return text % security_header(assertion)  # type: ignore[arg-type]


if __name__ == "__main__":
    for name, found in steps().items():
        print(f"{name:40} {found:6.2f} ms")
