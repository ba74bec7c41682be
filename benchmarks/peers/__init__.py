"""Training steps of other frameworks and of ours, each in the Python environment that it needs."""
