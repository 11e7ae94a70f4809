"""What the commands share: options from the settings, identifiers as arguments, results as text or JSON."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from carnet import settings as carnet_settings
from carnet.domains import TEST_INS_AUTHORITY
from carnet.settings import Settings
from xds.datatypes import CX, Code

DEFAULT_URL = "http://127.0.0.1:8080"


def settings_options(*only: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """One option per setting, and `--config`; the command gets a checked `Settings`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(config: str | None, **given: Any) -> None:
            chosen = {name: given.pop(name) for name in names}
            command(carnet_settings.load(chosen, config=config), **given)

        names = [one.name for one in fields(Settings) if not only or one.name in only]
        decorated: Callable[..., None] = run
        for one in reversed(fields(Settings)):
            if one.name in names:
                decorated = _option(one)(decorated)
        decorated = click.option("--config", metavar="FILE", help="TOML file with settings.")(decorated)
        decorated.__doc__, decorated.__name__ = command.__doc__, command.__name__
        for parameter in getattr(command, "__click_params__", []):
            decorated.__click_params__.append(parameter)  # type: ignore[attr-defined]
        return decorated

    return decorate


def _option(one: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    name, choices = one.name.replace("_", "-"), one.metadata["choices"]
    text = one.metadata["meaning"]
    meaning = f"{text[0].upper()}{text[1:]}." + (f" [default: {one.default}]" if one.default != "" else "")
    if isinstance(one.default, bool):
        return click.option(f"--{name}/--no-{name}", default=None, help=meaning)
    kind = click.Choice(choices) if choices else type(one.default)
    return click.option(f"--{name}", type=kind, default=None, help=meaning)


STORE = ("data", "database", "documents", "domain", "codes", "check_codes", "repository_id")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
url_option = click.option("--url", default=DEFAULT_URL, show_default=True, help="URL of the server.")
registry_option = click.option("--registry", default="", help="URL of the registry, where it is another server.")
authority_option = click.option(
    "--authority", default=TEST_INS_AUTHORITY, show_default=True, help="OID that assigned the identifier (test INS)."
)


content_type_option = click.option(
    "--content-type", default="07^^1.2.250.1.213.2.2", show_default=True, help="contentTypeCode, code^^scheme."
)


def code_of(text: str) -> Code:
    """A code given as code^^scheme; where it says no display name, the code itself stands for it."""
    try:
        code = Code.parse(text)
    except ValueError as problem:
        raise click.UsageError(f"{text}: {problem}") from None
    return Code(code=code.code, coding_scheme=code.coding_scheme, display_name=code.display_name or code.code)


def patient_id_of(identifier: str, authority: str, *, type_code: str = "") -> CX:
    try:
        if "^" in identifier:
            return CX.parse(identifier)
        return CX.of(id=identifier, authority=authority, type_code=type_code)
    except ValueError as problem:
        raise click.UsageError(f"{identifier}: {problem}") from None


def print_result(result: dict[str, Any], sentence: str, as_json: bool) -> None:
    click.echo(json.dumps(result, ensure_ascii=False, indent=2) if as_json else sentence)
