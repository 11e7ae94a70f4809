"""Who calls, and what they may see: decisions without I/O, default deny."""
