"""A caller as JSON, both directions: what was proved at the door of one process goes whole to another.

Walks the fields of `Caller`, whatever it holds: texts, truth values, numbers, times, codes, tuples of them. A field
that is missing, unknown or of another type is no caller, so what one side proves and the other does not know is
refused.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from access_policy.caller import Caller


class NoCaller(ValueError):
    """JSON that holds no caller; the text says where."""


def write_caller(caller: Caller) -> dict[str, Any]:
    return cast(dict[str, Any], _written(caller))


def read_caller(found: Any) -> Caller:
    """Raises NoCaller."""
    return cast(Caller, _read(Caller, found, "caller"))


def _written(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _written(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _read(kind: Any, found: Any, where: str) -> Any:
    """A value of this type, as its field is declared."""
    if get_origin(kind) in (Union, UnionType):
        return None if found is None else _read(_but_none(kind), found, where)
    if get_origin(kind) is tuple:
        if not isinstance(found, list):
            raise NoCaller(f"{where}: expected a list")
        return tuple(_read(get_args(kind)[0], one, where) for one in found)
    if is_dataclass(kind):
        return _read_fields(kind, found, where)
    if isinstance(kind, type) and issubclass(kind, Enum | datetime):
        return _read_text(kind, found, where)
    if type(found) is not kind:
        raise NoCaller(f"{where}: expected {kind.__name__}")
    return found


def _but_none(kind: Any) -> Any:
    [one] = [one for one in get_args(kind) if one is not NoneType]
    return one


def _read_fields(kind: Any, found: Any, where: str) -> Any:
    hints = get_type_hints(kind)
    names = [one.name for one in fields(kind)]
    if not isinstance(found, Mapping) or found.keys() != set(names):
        raise NoCaller(f"{where}: expected {', '.join(names)}")
    return kind(**{name: _read(hints[name], found[name], f"{where}.{name}") for name in names})


def _read_text(kind: type[Enum | datetime], found: Any, where: str) -> Any:
    try:
        return datetime.fromisoformat(found) if issubclass(kind, datetime) else kind(found)
    except (TypeError, ValueError):
        raise NoCaller(f"{where}: expected {kind.__name__}") from None
