"""A target: its record, its served version, its candidates, and moves of its label."""
