"""Trains a network on a labelled source and an unlabeled target: configuration, loop, checkpoints."""
