"""An agent for codetether that reviews and changes nothing."""
