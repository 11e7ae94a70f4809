"""Tables of the records and their statements."""
