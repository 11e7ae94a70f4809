"""The one database: engines, units of work, the group-committing writer, migrations.

Tables and statements belong to the packages that own the facts; this package only opens,
commits and checks.
"""
