"""A kit for FHIR servers with MHD, of any maker: request Bundles, what is expected of them, and FHIR TestScripts."""
