"""Options of the commands as annotated types; nothing here needs more than typer."""
