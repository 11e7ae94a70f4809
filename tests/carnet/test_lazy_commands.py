"""The table of commands: true to the commands, and all that the help of `carnet` needs."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from carnet.command_line import COMMANDS, commands

# What a command that only tells something must not wait for.
SLOW = {"sqlalchemy", "lxml", "cryptography", "rich", "flask", "carnet.settings"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    command = commands.get_command(click.Context(commands), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=500) == COMMANDS[name][1]


def test_help_names_every_command() -> None:
    told = "".join(CliRunner().invoke(commands, ["--help"]).output.split())
    for name, (_, sentence) in COMMANDS.items():
        assert "".join((name + sentence).split()) in told


def test_help_imports_no_command() -> None:
    asked = "import sys; from carnet.command_line import commands; commands(['--help'], standalone_mode=False)"
    told = subprocess.run(
        [sys.executable, "-c", f"{asked}; print('IMPORTED', *sys.modules)"], capture_output=True, text=True, check=True
    ).stdout
    imported = set(told.partition("IMPORTED ")[2].split())
    assert "carnet.lazy_commands" in imported
    assert not {name for name in imported if name in SLOW or name.endswith("_commands")} - {"carnet.lazy_commands"}


def test_a_name_that_is_nearly_one_is_proposed() -> None:
    result = CliRunner().invoke(commands, ["pusch"])
    assert result.exit_code == 2
    assert "Did you mean 'push'?" in result.output
