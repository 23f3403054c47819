"""The page of the service: its files, and the routes that only it needs."""
