"""The IPF client sent against a server, with the patient and the community that it speaks of."""

from pathlib import Path

import pytest

from conformance.peers import ipf_client
from conformance.peers.ipf_client import Outcome
from conformance.peers.maven_build import IPF, Peer, PeerUnavailable, build
from tests.builders import an_oid
from xds.datatypes import CX

PATIENT = CX(f"IPF-58021^^^&2.25.58021300.{an_oid().rpartition('.')[2]}&ISO")
HOME = "urn:oid:2.25.58021999"


def build_or_skip(peer: Peer = IPF) -> None:
    """Where Java or Maven are missing the peer is left out and named."""
    try:
        build(peer)
    except PeerUnavailable as missing:
        pytest.skip(str(missing))


def play(url: str, report: Path, *more: str, repository_url: str = "") -> Outcome:
    """Everything, or what `--only` names; the repository is at the same URL unless one is given."""
    receivers = ("--registry", f"{url}/xds/registry", "--repository", f"{repository_url or url}/xds/repository")
    return ipf_client.run_client((*receivers, "--patient", PATIENT.key, *more), report=report)
