"""Flame graphs: shares, names without the machine they were taken on, what is too small left out."""

from xml.etree import ElementTree

from benchmarks.flames import drawn, tree

STACKS = (
    "run (/home/somebody/x/threading.py:5);XdsDoor.__call__ (/srv/app/carnet/xds_door.py:3);find (registry/sql/find.py:9) 60",
    "run (/home/somebody/x/threading.py:5);XdsDoor.__call__ (/srv/app/carnet/xds_door.py:8);find (registry/sql/find.py:4) 39",
    "run (/home/somebody/x/threading.py:5);<lambda> (a/b&c.py:1) 1",
)


def titles(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]


def test_lines_of_one_function_are_one_box_with_their_share() -> None:
    assert titles(drawn(tree(STACKS, below="XdsDoor"), "ITI-18", least=0.02)) == [
        "all 100.0%",
        "XdsDoor.__call__ (carnet/xds_door.py) 99.0%",
        "find (registry/sql/find.py) 99.0%",
    ]


def test_no_folder_of_the_machine_is_named_and_every_name_is_text() -> None:
    svg = drawn(tree(STACKS), "a < b")
    assert "somebody" not in svg
    assert "srv" not in svg
    assert "<lambda> (a/b&c.py) 1.0%" in titles(svg)
