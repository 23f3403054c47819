"""What ``rn demo`` shows: a camera changes, the service adapts, junk arrives, and all is taken back."""
