"""MHD on the registry and the repository: FHIR R4 as JSON, rendered once and served as bytes. MHD 1:33."""
