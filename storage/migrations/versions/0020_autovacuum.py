"""PostgreSQL visits the tables that grow without end by what was written, not by a fifth of what they hold.

Each audit record is written twice, for its seal, so a fifth of a nation's table is tens of millions of dead rows, and
the planner would know nothing of the newest tenth. Only settings change: no row is rewritten, nobody waits.

Revision ID: 0020_autovacuum
"""

from alembic import op

revision = "0020_autovacuum"
down_revision = "0019_notices_alone"
branch_labels = None
depends_on = None

_TABLES = ("registry_object", "object_value", "identity", "document", "blob", "audit_record", "document_fed")
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": 0.02,
    "autovacuum_vacuum_insert_scale_factor": 0.02,
    "autovacuum_analyze_scale_factor": 0.01,
}


def upgrade() -> None:
    _alter("SET", ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items()))


def downgrade() -> None:
    _alter("RESET", ", ".join(_SETTINGS))


def _alter(verb: str, settings: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(f"ALTER TABLE {table} {verb} ({settings})")
