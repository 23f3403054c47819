"""What the runs of a grid found: gathered, compared, tabulated, drawn."""
