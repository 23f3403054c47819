"""How the bodies of requests are read: bounded one by one and together, large ones off the event loop."""
