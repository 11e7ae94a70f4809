"""Black-box conformance kit: it speaks HTTP and MLLP only, and imports nothing of the server."""
