"""The ledger: everything that outlives the process."""
