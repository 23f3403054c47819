"""``python -m rn``."""

from rn.main import main

main()
