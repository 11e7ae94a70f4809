"""What forks of the command begin with: imported, and what every server reads before it listens, read.

Imported by the fork server alone (tests/forked.py). A server that a user starts does the same by itself.
"""

import alembic.command  # noqa: F401 - storage.migrate imports it where there is something to bring

import carnet.server
import carnet.server_commands  # noqa: F401
import schemas  # noqa: F401
from xds.ebrim.schema import open_explainer

open_explainer()
