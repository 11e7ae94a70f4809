"""What the settings of records must say, and the rules they make. DMP 13"""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from dmp.rules import AirStructures, NoticeTarget, Regime, Rules

_SETTING_OF = {"regime": "record_regime"}
_KINDS: dict[str, Any] = {"regime": Regime, "announcement_target": NoticeTarget, "air_structures": AirStructures}
_MAY_BE_NONE = ("visible_after_days", "visible_after_months", "announcement_days", "information_weeks")
_MOST = 1000  # of any unit: what is longer overflows the calendar


def rules_of(settings: Any) -> Rules:
    """The rules that the settings make: one setting for each."""
    return Rules(**{one.name: _value(settings, one.name) for one in fields(Rules)})


def record_rules(settings: Any) -> Iterator[str]:
    """What is wrong with the durations."""
    for one in fields(Rules):
        if one.name in _KINDS:
            continue
        value, least = _value(settings, one.name), 0 if one.name in _MAY_BE_NONE else 1
        if not least <= value <= _MOST:
            yield f"setting {one.name}: found {value}, expected {least} to {_MOST}"


def _value(settings: Any, name: str) -> Any:
    found = getattr(settings, _SETTING_OF.get(name, name))
    return _KINDS[name](found) if name in _KINDS else found
