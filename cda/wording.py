"""Tests of rules in words, French and English: one place for what findings say. ISO/IEC 19757-3 5.4.2.

A rule of our packs has no text of its own: its test is put into words here, with what was counted or
found. A test without words is shown as it is written.
"""

from collections.abc import Callable, Mapping

from lxml import etree

from cda.findings import Text
from cda.schematron import lookups
from cda.schematron.expressions import Binary, Call, Expression, Filter, Literal, Path, Step
from cda.schematron.nodes import Element, Node, Nodes
from cda.schematron.xpath1 import NotXPath1, write

_COUNTS: Mapping[str, tuple[str, str]] = {
    "=": ("exactement {}", "exactly {}"),
    "<=": ("au plus {}", "at most {}"),
    ">=": ("au moins {}", "at least {}"),
    ">": ("plus de {}", "more than {}"),
    "<": ("moins de {}", "fewer than {}"),
    "!=": ("un nombre autre que {}", "a number other than {}"),
}
_LONGEST = 400


def expected(expression: Expression) -> Text:
    """What a test demands, as one phrase."""
    text = _phrase(expression)
    return Text(french=_short(text.french), english=_short(text.english))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _phrase(expression: Expression) -> Text:
    match expression:
        case Binary(operator="or", left=Call(name="not", arguments=(condition,)), right=then):
            return _conditional(condition, then)
        case Binary(operator="and" | "or" as word, left=left, right=right):
            return _joined(word, _phrase(left), _phrase(right))
        case Binary(operator=sign, left=Call(name="count", arguments=(Path() as path,)), right=Literal(value=number)):
            return _counted(sign, path, number)
        case Binary(operator="=", left=Path() as path, right=Literal(value=str() as value)):
            return Text(french=f"{_path(path)} vaut « {value} »", english=f"{_path(path)} is '{value}'")
        case Binary(operator="!=", left=Path() as path, right=Literal(value=str() as value)):
            return Text(french=f"{_path(path)} ne vaut pas « {value} »", english=f"{_path(path)} is not '{value}'")
        case Path(start=None, steps=(Step(axis="self", test=str() as name, predicates=predicates),)) if (
            name != "node()"
        ):
            return _is_named(name, predicates)
        case Path() | Filter():
            return Text(french=f"{_path(expression)} est présent", english=f"{_path(expression)} is present")
        case Call():
            return _called(expression)
    return _as_written(expression)


def _is_named(name: str, predicates: tuple[Expression, ...]) -> Text:
    shown = name.rpartition(":")[2] + "".join(f"[{_written(each)}]" for each in predicates)
    return Text(french=f"l'élément est un {shown}", english=f"the element is a {shown}")


def _conditional(condition: Expression, then: Expression) -> Text:
    when, what = _phrase(condition), _phrase(then)
    return Text(french=f"si {when.french}, alors {what.french}", english=f"if {when.english}, then {what.english}")


def _joined(word: str, left: Text, right: Text) -> Text:
    french = {"and": " et ", "or": " ou "}[word]
    return Text(french=left.french + french + right.french, english=f"{left.english} {word} {right.english}")


def _counted(sign: str, path: Path, number: float | str) -> Text:
    french, english = _COUNTS[sign]
    shown = f"{number:g}" if isinstance(number, float) else number
    return Text(
        french=f"{french.format(shown)} élément {_path(path)}", english=f"{english.format(shown)} element {_path(path)}"
    )


def _called(call: Call) -> Text:
    match call:
        case Call(name="not", arguments=(Path() as path,)):
            return Text(french=f"{_path(path)} est absent", english=f"{_path(path)} is absent")
        case Call(name="not", arguments=(operand,)):
            inner = _phrase(operand)
            return Text(french=f"il n'est pas vrai que {inner.french}", english=f"it is not so that {inner.english}")
        case Call(name="in-value-set" | "in-code-set", arguments=(Literal(value=name),)):
            return Text(french=f"le code est dans le jeu de valeurs {name}", english=f"the code is in value set {name}")
        case Call(name="datatype", arguments=(Literal(value=name),)):
            return Text(french=f"une valeur de type {name}", english=f"a value of type {name}")
        case Call(name="matches", arguments=(Path() as path, Literal(value=pattern))):
            return Text(french=f"{_path(path)} de la forme {pattern}", english=f"{_path(path)} of the form {pattern}")
        case Call(name="true"):
            return Text(french="rien de plus", english="nothing more")
    return _as_written(call)


def _as_written(expression: Expression) -> Text:
    return Text(french=_written(expression), english=_written(expression))


def _path(expression: Expression) -> str:
    return _written(expression).removeprefix(".//")


def _written(expression: Expression) -> str:
    try:
        return write(expression).replace("cda:", "")
    except NotXPath1:
        return "?"


def found(expression: Expression, node: Node, nodes: Nodes, words: lookups.Vocabulary) -> str:
    """What stands where a test failed: a number of elements, the codes of one, or its attributes."""
    counted = _first_path(expression)
    if counted is None:
        return attributes(node.element)
    select = lookups.elements(counted, words)
    if select is None:
        return attributes(node.element)
    there = select(node, nodes)
    if not there:
        return "0"
    shown = attributes(there[0].element)
    return f"{len(there)} : {shown}" if len(there) > 1 else shown


def _first_path(expression: Expression) -> Path | None:
    """The elements a test is about: its first path, without the attribute at its end."""
    match expression:
        case Path(start=start, steps=(*steps, Step(axis="attribute"))):
            return Path(start, tuple(steps)) if steps else None
        case Path(start=start, steps=steps):
            *before, last = steps
            return Path(start, (*before, Step(last.axis, last.test)))
        case Binary(operator="or", left=Call(name="not"), right=right):
            return _first_path(right)
        case Binary(left=left):
            return _first_path(left)
        case Call(arguments=(first, *_)):
            return _first_path(first)
    return None


def attributes(element: Element) -> str:
    """An element as its tag shows it, without its content."""
    said: Callable[[str], str] = lambda name: etree.QName(name).localname  # noqa: E731
    shown = " ".join(f'{said(str(name))}="{str(value)[:60]}"' for name, value in element.attrib.items())
    return f"<{etree.QName(element).localname}{' ' if shown else ''}{shown}>"
