"""The HTTP API: routes, uploads, decoding, and errors as problem details."""
