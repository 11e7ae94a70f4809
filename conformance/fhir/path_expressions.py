"""The part of FHIRPath that TestScripts use: steps, where, exists, empty, count, first, positions, =, or, and."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_STEP = re.compile(r"(?:(?P<name>[A-Za-z]\w*)(?P<call>\()?|\[(?P<position>\d+)\])")
_COMPARED = re.compile(r"\s*(.+?)\s*(!=|<=|>=|=|<|>)\s*('(?:[^'\\]|\\.)*'|true|false|-?\d+)\s*\Z")


class Unsupported(ValueError):
    """An expression that uses more of FHIRPath than is known here."""


def evaluate(expression: str, resource: Mapping[str, Any]) -> list[Any]:
    """The collection an expression gives on a resource. Raises Unsupported."""
    for word, combine in ((" or ", any), (" and ", all)):
        parts = _split(expression, word)
        if len(parts) > 1:
            return [combine(is_true(evaluate(part, resource)) for part in parts)]
    compared = _COMPARED.match(expression)
    if compared is not None and _is_balanced(compared[1]):
        found = evaluate(compared[1], resource)
        return [_compared(found, compared[2], _literal(compared[3]))] if found else []
    return _path(expression.strip(), resource)


def _compared(found: Sequence[Any], operator: str, value: Any) -> bool:
    if operator in ("=", "!="):
        return (list(found) == [value]) is (operator == "=")
    if len(found) != 1 or not isinstance(found[0], int) or not isinstance(value, int):
        raise Unsupported(f"{operator} of what are no numbers")
    return {"<": found[0] < value, ">": found[0] > value, "<=": found[0] <= value, ">=": found[0] >= value}[operator]


def is_true(found: Sequence[Any]) -> bool:
    return list(found) == [True] or (len(found) == 1 and not isinstance(found[0], bool))


def _path(text: str, resource: Mapping[str, Any]) -> list[Any]:
    if text.startswith("(") and text.endswith(")") and _is_balanced(text[1:-1]):
        return evaluate(text[1:-1], resource)
    found: list[Any] = [resource]
    at, is_first = 0, True
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise Unsupported(text)
        at = match.end()
        if match["position"] is not None:
            found = found[int(match["position"]) : int(match["position"]) + 1]
        elif match["call"]:
            end = _closing(text, at)
            found, at = _called(match["name"], text[at:end], found), end + 1
        elif not (is_first and resource.get("resourceType") == match["name"]):
            found = [one for value in found for one in _children(value, match["name"])]
        is_first = False
        at += text[at : at + 1] == "."
    return found


def _children(value: Any, name: str) -> list[Any]:
    if not isinstance(value, Mapping):
        return []
    keys = [name] if name in value else [key for key in value if re.fullmatch(rf"{name}[A-Z]\w*", key)][:1]
    found = value[keys[0]] if keys else []
    return found if isinstance(found, list) else [found]


def _called(name: str, argument: str, found: list[Any]) -> list[Any]:
    if name == "where":
        return [one for one in found if isinstance(one, Mapping) and is_true(evaluate(argument, one))]
    if name == "all":
        return [all(isinstance(one, Mapping) and is_true(evaluate(argument, one)) for one in found)]
    if name == "startsWith":
        return [isinstance(one, str) and one.startswith(str(_literal(argument))) for one in found]
    if name == "exists":
        return [bool(_called("where", argument, found) if argument else found)]
    simple: dict[str, list[Any]] = {
        "empty": [not found],
        "count": [len(found)],
        "first": found[:1],
        "not": [not is_true(found)],
    }
    if name not in simple or argument:
        raise Unsupported(f"{name}({argument})")
    return simple[name]


def _literal(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1].replace("\\'", "'")
    return text == "true" if text in ("true", "false") else int(text)


def _closing(text: str, start: int) -> int:
    depth, is_quoted = 1, False
    for at in range(start, len(text)):
        is_quoted ^= text[at] == "'"
        depth += 0 if is_quoted else {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
    raise Unsupported(text)


def _is_balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth < 0:
            return False
    return not depth


def _split(text: str, word: str) -> list[str]:
    """The parts between a word, where it stands in no parentheses."""
    parts = text.split(word)
    joined = [parts[0]]
    for part in parts[1:]:
        if _is_balanced(joined[-1]) and joined[-1].count("(") == joined[-1].count(")"):
            joined.append(part)
        else:
            joined[-1] += word + part
    return joined
