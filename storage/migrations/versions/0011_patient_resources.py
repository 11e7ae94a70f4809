"""Patients as FHIR fed them.

Revision ID: 0011_patients
"""

import sqlalchemy as sa
from alembic import op

revision = "0011_patients"
down_revision = "0010_policy"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "patient_resource",
        sa.Column("patient_key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("updated", sa.String(14), nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        comment="Patient resources as they were fed last. ITI TF-2: 3.104",
    )
    op.create_table(
        "patient_alias",
        sa.Column("system", sa.String, primary_key=True),
        sa.Column("value", sa.String, primary_key=True),
        sa.Column("patient_key", sa.BigInteger, nullable=False, index=True),
        comment="Further identifiers of those patients, by system and value as FHIR has them",
    )


def downgrade() -> None:
    op.drop_table("patient_alias")
    op.drop_table("patient_resource")
