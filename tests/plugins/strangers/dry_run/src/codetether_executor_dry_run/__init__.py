"""Says which commands codetether would run."""
