"""Training on a labelled source domain and an unlabeled target domain, from configuration to result."""
