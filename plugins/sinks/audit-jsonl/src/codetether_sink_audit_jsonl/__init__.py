"""An audit sink for codetether: one JSON line before and after each effect."""
