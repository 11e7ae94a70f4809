"""One rule for each requirement on clients: what it applies to, and a generator of what is wrong."""
