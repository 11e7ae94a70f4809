"""Peers: programs of other makers that speak to a server under test and judge what it answers."""
