"""What `make bench` runs: our training against the textbooks' recipe."""
