"""SOAP 1.2 with WS-Addressing and MTOM: bytes in, bytes out; spyne is behind it and nowhere else."""
