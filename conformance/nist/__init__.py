"""Runner of the public NIST XDS test kit: reads its test plans, drives a server with them, judges the answers.

The kit is data of its own (test plans, metadata, documents, codes) and stays where it lies.
"""
