"""Measurements that can be repeated: an invented data set of any size, and every transaction beside canned bytes."""
