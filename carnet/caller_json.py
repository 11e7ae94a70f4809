"""A caller as JSON, both directions: what was proved at the door of one process goes whole to another.

Walks the fields of `Caller`, whatever it holds: texts, truth values, numbers, times, codes, tuples of them. A field
that is missing, unknown or of another type is no caller, so what one side proves and the other does not know is
refused. Of one that was kept, a field that came later has its default.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from access_policy.caller import Caller


class NoCaller(ValueError):
    """JSON that holds no caller; the text says where."""


def write_caller(caller: Caller) -> dict[str, Any]:
    return cast(dict[str, Any], _written(caller))


def read_caller(found: Any) -> Caller:
    """Raises NoCaller."""
    return cast(Caller, _read(Caller, found, "caller", _whole))


def read_kept_caller(found: Any) -> Caller:
    """One that an earlier version may have written. Raises NoCaller."""
    return cast(Caller, _read(Caller, found, "caller", _without_later))


def _written(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _written(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


# The names that a mapping must hold, of a dataclass; what else it may hold are its other fields.
_Needed = Callable[[Any], frozenset[str]]


@lru_cache(maxsize=32)
def _whole(kind: Any) -> frozenset[str]:
    return frozenset(one.name for one in fields(kind))


@lru_cache(maxsize=32)
def _without_later(kind: Any) -> frozenset[str]:
    return frozenset(one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING)


def _read(kind: Any, found: Any, where: str, needed: _Needed) -> Any:
    """A value of this type, as its field is declared."""
    if get_origin(kind) in (Union, UnionType):
        return None if found is None else _read(_but_none(kind), found, where, needed)
    if get_origin(kind) is tuple:
        if not isinstance(found, list):
            raise NoCaller(f"{where}: expected a list")
        return tuple(_read(get_args(kind)[0], one, where, needed) for one in found)
    if is_dataclass(kind):
        return _read_fields(kind, found, where, needed)
    if isinstance(kind, type) and issubclass(kind, Enum | datetime):
        return _read_text(kind, found, where)
    if type(found) is not kind:
        raise NoCaller(f"{where}: expected {kind.__name__}")
    return found


def _but_none(kind: Any) -> Any:
    [one] = [one for one in get_args(kind) if one is not NoneType]
    return one


def _read_fields(kind: Any, found: Any, where: str, needed: _Needed) -> Any:
    hints = _types(kind)
    if not isinstance(found, Mapping) or not needed(kind) <= found.keys() <= hints.keys():
        raise NoCaller(f"{where}: expected {', '.join(hints)}")
    return kind(**{name: _read(hints[name], value, f"{where}.{name}", needed) for name, value in found.items()})


@lru_cache(maxsize=32)
def _types(kind: Any) -> Mapping[str, Any]:
    """The fields of a dataclass and their types, in their order; finding them takes longer than reading a caller."""
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind)}


def _read_text(kind: type[Enum | datetime], found: Any, where: str) -> Any:
    try:
        return datetime.fromisoformat(found) if issubclass(kind, datetime) else kind(found)
    except (TypeError, ValueError):
        raise NoCaller(f"{where}: expected {kind.__name__}") from None
