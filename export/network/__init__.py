"""A network as graphs: its normalization sites, and what is traced."""
