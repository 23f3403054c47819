"""What a run leaves behind, and how runs are chosen from."""
