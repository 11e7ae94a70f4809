"""Dated work on the records: what happens because a time has come. Each job may be stopped, and run again."""
