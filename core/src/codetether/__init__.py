"""A plugin-based framework for coding agents: the core."""
