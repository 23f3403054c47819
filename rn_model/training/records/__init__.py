"""Files that a training writes into the directory of its run."""
