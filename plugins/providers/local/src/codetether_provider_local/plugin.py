"""What the plugin local offers to codetether's hooks."""
