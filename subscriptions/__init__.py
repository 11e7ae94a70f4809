"""Subscriptions to documents: DSUB and DSUBm on one store, one outbox and one sender."""
