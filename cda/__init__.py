"""CDA R2 documents of the CI-SIS: the header as a typed view, and the metadata derived from it; no I/O."""
