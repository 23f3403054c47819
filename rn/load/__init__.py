"""Load for a running service, and what it did with it: rates, latencies, processors and memory."""
