"""One run over everything a server claims: XDS, MHD, the transactions of the DMP, security, acceptance of documents."""
