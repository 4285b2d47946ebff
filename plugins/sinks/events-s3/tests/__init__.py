"""Stories about the archive."""
