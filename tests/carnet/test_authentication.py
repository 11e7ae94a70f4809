"""The rules that settings describe, and the settings that describe none."""

from datetime import timedelta
from pathlib import Path

import pytest

from access_policy.trust import Trust
from carnet.authentication import read_rules
from carnet.settings import SettingsError
from carnet.wiring import open_actors
from tests import servers


def test_the_rules_of_the_dmp_are_those_of_its_settings(tmp_path: Path) -> None:
    settings = servers.settings_for(
        tmp_path,
        base_url="https://dmp.example",
        vihf_versions="3.0, 4.0",
        vihf_life_seconds=60,
        sha1_anchors="ab" * 32 + ";" + ":".join(["cd"] * 32),
        audiences="urn:dmp urn:oid:1.2",
        assertion_reuse="never",
    )
    rules = read_rules(settings, Trust(()))
    assert rules.vihf is not None
    assert rules.vihf.expected.versions == ("3.0", "4.0")
    assert (rules.vihf.life, rules.reuse_allowed) == (timedelta(minutes=1), False)
    assert rules.vihf.sha1_anchors == {bytes([0xAB] * 32), bytes([0xCD] * 32)}
    assert "https://dmp.example/xds/registry" in rules.recipients
    assert {"urn:dmp", "urn:oid:1.2", "https://dmp.example"} <= set(rules.audiences)


def test_outside_the_dmp_no_vihf_is_taken(tmp_path: Path) -> None:
    assert read_rules(servers.settings_for(tmp_path, domain="ihe"), Trust(())).vihf is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vihf_versions": "1.0"}, "vihf_versions"),
        ({"vihf_versions": ""}, "vihf_versions"),
        ({"sha1_anchors": "abcd"}, "sha1_anchors"),
        ({"sha1_anchors": "x" * 64}, "sha1_anchors"),
        ({"xua": "/nowhere.toml"}, "setting xua"),
    ],
)
def test_settings_that_describe_no_rules_are_refused(tmp_path: Path, given: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        read_rules(servers.settings_for(tmp_path, **given), Trust(()))


def test_a_signature_cannot_be_demanded_without_authorities(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="required needs the authorities of --trust"):
        open_actors(servers.settings_for(tmp_path, submission_signature="required"))
