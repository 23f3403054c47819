"""Who owns a target: its record, its served version, its candidates."""
