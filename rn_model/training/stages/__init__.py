"""The stages of a training: source only, then adaptation; and the loop that runs a stage."""
