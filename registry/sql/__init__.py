"""The registry's tables and statements, one file per concern."""
