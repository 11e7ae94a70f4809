"""A statement that psycopg has prepared on its connection, run under its name by libpq itself.

A cursor looks each time what there is to convert, to prepare and to clear up, and waits in several steps: it takes five
times the processor time that asking and reading the answer do. What is prepared, and for how long, is psycopg's alone.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, Format, PipelineStatus

_DONE = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)


def run(driver: psycopg.Connection[Any], text: str, values: Sequence[Any]) -> Sequence[tuple[Any, ...]] | None:
    """The rows; None where a cursor must run it: it is not prepared, begins a transaction, or is one of a pipeline.

    Raises psycopg.Error.
    """
    server = driver.pgconn
    if server.pipeline_status != PipelineStatus.OFF or not (driver.autocommit or server.transaction_status):
        return None
    converter = Transformer(driver)
    given: Any = converter.dump_sequence(values, [PyFormat.AUTO] * len(values))
    name = driver._prepared._names.get((text.encode(), converter.types or ()))
    if name is None:
        return None
    result = server.exec_prepared(name, given, converter.formats, Format.BINARY)
    if result.status not in _DONE:
        raise psycopg.errors.error_from_result(result)
    converter.set_pgresult(result)
    return converter.load_rows(0, result.ntuples, tuple)
