"""What spyne 2.14 needs on Python 3.12 and later.

spyne brings an old `six` whose lazy `six.moves` modules rest on an importer that newer Pythons do not
call; the few of them that the parts of spyne used here ask for are put in place beforehand.
"""

import collections.abc
import logging
import sys
import types
import urllib.parse

_MOVES = "spyne.util.six.moves"


def prepare() -> None:
    """Make `import spyne` work, and keep its loggers silent: they print message contents. Harmless when repeated."""
    logging.getLogger("spyne").setLevel(logging.CRITICAL + 1)
    if sys.version_info < (3, 12) or _MOVES in sys.modules:
        return
    moves = types.ModuleType(_MOVES)
    moves.__path__ = []
    sys.modules[_MOVES] = moves
    sys.modules[f"{_MOVES}.collections_abc"] = collections.abc
    sys.modules[f"{_MOVES}.urllib"] = urllib
    sys.modules[f"{_MOVES}.urllib.parse"] = urllib.parse
