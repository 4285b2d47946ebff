"""A tool-call router for codetether that asks a small local model."""
