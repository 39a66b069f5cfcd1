"""What keeps the engine's data over a restart; ``seam`` says what the engine asks of it."""
