"""What the settings of databases and stores must be."""

from collections.abc import Iterator
from typing import Any


def storage_rules(settings: Any) -> Iterator[str]:
    """One sentence for each that does not do."""
    for name in ("documents", "documents_former"):
        value = getattr(settings, name)
        if value and not value.startswith(("file:///", "s3://")):
            yield f"setting {name}: found {value!r}, expected file:///FOLDER or s3://BUCKET/PREFIX"
    if not settings.uses_sqlite:
        return
    if settings.replica:
        yield "setting replica: found one beside SQLite, expected it beside a PostgreSQL database"
    if settings.workers != 1:
        yield f"setting workers: found {settings.workers}, SQLite has one writing process, expected 1"
