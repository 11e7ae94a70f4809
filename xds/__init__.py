"""The XDS.b standard as values and pure functions; no sockets, no SQL, no files beyond package data."""
