"""Python made of the tests of rules: text first, a function when it is first called.

The text of a test is an expression over `node`, the context, and `nodes`, the tables of its document. What text cannot
say - a value set, a regular expression - is an object under a name of its own. Strings of a rule come into the
text by `repr` alone, so whatever a pack says stays a string.
"""

from collections.abc import Callable, Sequence
from typing import Any

from cda.schematron.nodes import Node, Nodes

FindBroken = Callable[[Sequence[Node], Nodes], Sequence[tuple[int, Node]]]

_SURELY_SHALLOW = 800  # a text as short as this is not nested deeper than Python reads


class Names:
    """Objects that the made functions of one schema refer to, each under one name."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self._names: dict[Any, str] = {}

    def of(self, thing: Any) -> str:
        """The name of an object; the same object has the same name."""
        if thing not in self._names:
            name = self._names[thing] = f"_{len(self.objects)}"
            self.objects[name] = thing
        return self._names[thing]


class Made:
    """A function made of its text at its first call: a document asks for few of the rules of a schema."""

    __slots__ = ("_function", "_names", "_text")

    def __init__(self, text: str, names: Names) -> None:
        self._text = text
        self._names = names
        self._function: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        if self._function is None:
            self._function = _made(self._text, self._names)
        return self._function(*arguments)


def _made(text: str, names: Names) -> Callable[..., Any]:
    space: dict[str, Callable[..., Any]] = {}
    exec(compile(text, "<rules>", "exec"), names.objects, space)  # noqa: S102 - written here, from expression trees
    return space["made"]


def is_readable(text: str) -> bool:
    """Whether Python can read an expression: it takes no more than 200 brackets one inside another."""
    if len(text) <= _SURELY_SHALLOW:
        return True
    try:
        compile(text, "<rules>", "eval")
    except (SyntaxError, RecursionError, MemoryError):
        return False
    return True


def condition(text: str, names: Names) -> Callable[[Node, Nodes], bool]:
    """Whether a test holds on a node."""
    return Made(f"def made(node, nodes):\n return {text}", names)


def kept(texts: Sequence[str], names: Names) -> Callable[[Sequence[Node], Nodes], Sequence[Node]]:
    """Those of some nodes on which every test holds."""
    return Made(f"def made(found, nodes):\n return [node for node in found if {' and '.join(texts)}]", names)


def selection(text: str, names: Names) -> Callable[[Node, Nodes], Sequence[Node]]:
    """The nodes that a path selects."""
    return Made(f"def made(node, nodes):\n return {text}", names)


def broken(texts: Sequence[str], names: Names) -> FindBroken:
    """The numbers of the tests that do not hold, each with the node it does not hold on."""
    tests = "".join(f"\n  if not ({text}): broken.append(({at}, node))" for at, text in enumerate(texts))
    return Made(f"def made(found, nodes):\n broken = []\n for node in found:{tests}\n return broken", names)
