"""Certifying a client: a server that records, scenarios that guide, rules that judge each message."""
