"""What the C library does with memory that was freed: it stays with the process, up to a bound, for the next answer.

glibc gives it back to the system as soon as some of it is free at the end of a heap, and the next answer of a megabyte
gets it again page by page: a third of the processor time of a search with 200 entries.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
KEPT = 4 * 2**20  # octets at the end of each heap that are kept; larger blocks are the system's own


def keep_freed_memory() -> bool:
    """For this process from now on; False where the C library is another one, which decides by itself."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(bool(mallopt(name, KEPT)) for name in (_MMAP_THRESHOLD, _TRIM_THRESHOLD))
