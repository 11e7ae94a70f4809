"""The shared record of one person: its states, the rights of its holder, its journal and its counters. DMP 12, 13."""
