"""What the plugin files offers to codetether's hooks."""
