"""How a wish becomes commands: pure generators, no I/O. Each verb has its file; ``core`` says what a plan is."""
