"""Commands of ``rn`` that need a bundle and nothing else."""
