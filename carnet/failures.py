"""What nobody foresaw: told to the log with its trace, to the client as a number that finds it there."""

import uuid

import structlog


def log_unexpected(problem: BaseException, correlation_id: str = "") -> str:
    """Log a failure; returns the correlation id that the answer names, a new one unless it is given."""
    correlation_id = correlation_id or str(uuid.uuid4())
    structlog.get_logger().error("unexpected failure", correlation_id=correlation_id, exc_info=problem)
    return correlation_id
