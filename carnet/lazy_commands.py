"""A group of commands none of which is imported before it runs, as click's documentation describes."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

# Name -> "module:attribute" of the command, and the first sentence of its help.
CommandTable = Mapping[str, tuple[str, str]]


class LazyGroup(click.Group):
    """Knows its commands from a table, which is all that its own help needs."""

    def __init__(self, name: str | None, *, table: CommandTable, **options: Any) -> None:
        # click proposes these names to who mistypes one
        super().__init__(name, commands={name: click.Command(name) for name in table}, **options)
        self._table = table

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command itself, imported now; None for a name that is not in the table."""
        if name not in self._table:
            return None
        module, _, attribute = self._table[name][0].partition(":")
        with importing():
            command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Every name with its sentence."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name][1]) for name in self.list_commands(context)])


@contextmanager
def importing() -> Iterator[None]:
    """What is imported stays: to look for garbage meanwhile would take a tenth of the time and find none."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
