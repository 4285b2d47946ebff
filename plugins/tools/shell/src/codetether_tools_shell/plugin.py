"""What the plugin shell offers to codetether's hooks."""
