"""The append-only ledger: one transaction a cycle, each entry hashed onto the one before."""
