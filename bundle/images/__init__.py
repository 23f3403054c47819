"""Image files as people have them: the one reader of training, export, service and clients."""
