"""The Runs page: follow a run, its metrics, mistakes and selected images."""
