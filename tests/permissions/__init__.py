"""Stories about what may run."""
