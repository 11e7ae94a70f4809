"""The end of a server whose disk did not keep what it was told to.

After a failed sync the kernel may have dropped what it could not write, and every later sync may succeed: what a
process then believes about its disk is worth nothing. Only a start reads what is really there.
"""

import mmap
import os
import signal

import structlog


class DiskFailure:
    """Told by a worker, it ends all processes of the server; made before they are forked."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 1)

    def __call__(self) -> None:
        """Stop as on SIGTERM: what is refused is still answered, nothing new is accepted."""
        if not self.has_happened:
            self._shared[0] = 1
            structlog.get_logger().critical("a disk did not keep what was written: the server stops")
            os.kill(os.getppid(), signal.SIGTERM)

    @property
    def has_happened(self) -> bool:
        return bool(self._shared[0])
