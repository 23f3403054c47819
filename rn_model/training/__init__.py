"""Training on a labelled source domain and an unlabelled target domain, from configuration to result."""
