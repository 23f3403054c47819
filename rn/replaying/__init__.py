"""Replays a stream of images against settings: what ``rn replay`` does, without a service."""
