"""Alembic environment of the one database; versions hold explicit operations only."""
