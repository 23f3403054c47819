"""The commands of ``rn``, each imported when it is called."""
