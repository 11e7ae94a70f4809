"""A population to test with: authorities, professionals, patients, documents; the same for the same seed."""
