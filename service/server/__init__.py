"""How HTTP is served: the socket, its connections and their limits, start and stop."""
