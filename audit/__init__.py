"""Audit trail and node authentication (ATNA): what happened as records, kept, chained and sent. ITI TF-1: 9."""
