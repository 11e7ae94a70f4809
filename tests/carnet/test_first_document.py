"""A server has read the rules of documents before its processes begin: the first document need not wait for them."""

import subprocess
import sys
from pathlib import Path

import pytest

# `serve` as it is, up to the point where processes begin.
_PROGRAM = """
import sys
from cda.rule_packs import _own_rules
from carnet import server
from carnet.settings import load

class Begins(server.HttpServer):
    def run(self):
        print("rules read:", _own_rules.cache_info().currsize)

server.HttpServer = Begins
data, validity, roles = sys.argv[1:]
given = {"data": data, "security": "open", "audit": "off", "cda_validity": validity, "roles": roles}
server.serve(load({name: value for name, value in given.items() if value}), print)
"""


@pytest.mark.parametrize(
    ("validity", "roles", "read"), [("", "", 1), ("refuse", "", 1), ("ignore", "", 0), ("refuse", "registry", 0)]
)
def test_rules_are_read_where_documents_are_checked(validity: str, roles: str, read: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "data"), validity, roles]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert f"rules read: {read}" in done.stdout
