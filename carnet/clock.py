"""The time of the server: the true one, or for tests one that they set and move."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

_FORM = "%Y%m%d%H%M%S"
_FILE = "@"
Clock = Callable[[], str]


class NoTime(ValueError):
    """A text that is no time; it says what was expected."""


def true_time() -> str:
    """The time as DTM to the second, UTC."""
    return datetime.now(UTC).strftime(_FORM)


def clock(setting: str) -> Clock:
    """What tells the time as DTM of 14 digits, UTC: the setting's time, what its file holds, else the true time.

    Raises NoTime, when it is asked, for a file without a time.
    """
    if not setting:
        return true_time
    if setting.startswith(_FILE):
        return lambda: _time_in(setting.removeprefix(_FILE))
    fixed = read_moment(setting)
    return lambda: fixed


def read_moment(text: str) -> str:
    """YYYYMMDDhhmmss, a beginning of it from the day on, or ISO 8601 (without zone: UTC) as DTM. Raises NoTime."""
    digits = text.strip()
    try:
        if digits.isascii() and digits.isdigit() and len(digits) in (8, 10, 12, 14):
            return datetime.strptime(digits.ljust(14, "0"), _FORM).replace(tzinfo=UTC).strftime(_FORM)
        found = datetime.fromisoformat(digits)
    except ValueError:
        raise NoTime(f"found {text!r}, expected a time YYYYMMDDhhmmss in UTC, or 2030-05-06T07:08:09Z") from None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC).strftime(_FORM)


def clock_rules(setting: str) -> Iterator[str]:
    """What is wrong with the setting; a file may come later."""
    if not setting or setting.startswith(_FILE):
        return
    try:
        read_moment(setting)
    except NoTime as problem:
        yield f"setting clock: {problem}, or @FILE"


def _time_in(path: str) -> str:
    try:
        return read_moment(Path(path).read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as problem:
        raise NoTime(f"setting clock: {path}: {type(problem).__name__}, expected a file with a time") from problem
