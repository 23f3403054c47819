"""Attacks on the statistics: what hostile images at ``/adapt`` do to the predictions of good ones."""
