"""Metadata as ebXML RegRep 3.0 on the wire. ITI TF-3: 4.2.1."""
