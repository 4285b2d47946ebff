"""The promises, a module for each kind of record."""
