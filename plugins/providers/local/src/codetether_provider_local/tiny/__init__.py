"""The profile for models too small to plan: one call chosen among candidates, then a short answer from its output."""
