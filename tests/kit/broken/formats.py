"""To come."""

BROKEN: dict[str, object] = {}
