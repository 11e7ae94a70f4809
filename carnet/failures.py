"""What nobody foresaw: told to the log with its trace, to the client as a number that finds it there."""

import uuid

import structlog

from carnet import traffic


def log_unexpected(problem: BaseException, correlation_id: str = "") -> str:
    """Log a failure; returns the correlation id that the answer names: that of the request, a new one outside."""
    correlation_id = correlation_id or traffic.correlation_id() or str(uuid.uuid4())
    structlog.get_logger().error("unexpected failure", correlation_id=correlation_id, exc_info=problem)
    return correlation_id
