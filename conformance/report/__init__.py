"""Reports of a run: one HTML page, JUnit XML, JSON, and the comparison of two runs."""
