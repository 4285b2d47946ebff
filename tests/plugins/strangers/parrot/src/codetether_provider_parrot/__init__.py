"""A model for codetether that says what it hears."""
