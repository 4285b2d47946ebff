"""Finds tool calls that a model writes into its text."""
