"""The Runs page: follow a run; see its metrics, mistakes and selected images."""
