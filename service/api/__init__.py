"""What a request meets first: routes, decoding, and errors as problem details."""
