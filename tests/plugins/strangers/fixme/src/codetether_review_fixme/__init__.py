"""Tells the model what it left to be done."""
