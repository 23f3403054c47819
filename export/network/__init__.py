"""Networks as graphs: normalization sites, tracing, and composition."""
