"""A studio from another program: `Client` in Python, and tools for agents (MCP)."""

from vecaf.client.http import Client

__all__ = ["Client"]
