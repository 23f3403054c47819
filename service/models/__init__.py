"""Models: a bundle each, with targets of its own; several in one process."""
