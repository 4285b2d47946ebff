"""Vendors that speak a common wire, as data, for codetether."""
