"""The gate: every file from outside comes through these modules; docs/FORMAT.md has the limits."""
