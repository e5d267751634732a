"""The Select page: select images under a budget and explain the selection."""
