"""What spyne 2.14 needs to serve here, on Python 3.12 and later above all.

spyne brings an old `six` whose lazy `six.moves` modules rest on an importer that newer Pythons do not
call; the few of them that the parts of spyne used here ask for are put in place beforehand.
"""

import collections.abc
import importlib
import logging
import sys
import types
import urllib.parse
from typing import Any

_MOVES = "spyne.util.six.moves"


def prepare() -> None:
    """Make `import spyne` work, silent and without its garbage collections. Harmless when repeated.

    Its loggers print message contents. Once a second a request of its would stop all others for a full
    collection, a fifth of a second in a server of this size; nothing here waits for that to close a file.
    """
    logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)
    _provide_moves()
    constants: Any = importlib.import_module("spyne.const")
    constants.MIN_GC_INTERVAL = float("inf")


def _provide_moves() -> None:
    if sys.version_info < (3, 12) or _MOVES in sys.modules:
        return
    moves = types.ModuleType(_MOVES)
    moves.__path__ = []
    sys.modules[_MOVES] = moves
    sys.modules[f"{_MOVES}.collections_abc"] = collections.abc
    sys.modules[f"{_MOVES}.urllib"] = urllib
    sys.modules[f"{_MOVES}.urllib.parse"] = urllib.parse
