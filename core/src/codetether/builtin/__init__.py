"""The plugins in the box of core itself, through the same hooks as strangers."""
