"""Image corruptions at five severities, and matching them to a description."""
