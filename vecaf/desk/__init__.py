"""The desk: a warm process that answers short questions which need a model.

The server imports no framework; it asks over a pipe (`app.desk`). One question a file, registered
by its function's name.
"""

from vecaf.desk.registry import ANSWERS, Desk, answer

__all__ = ["ANSWERS", "Desk", "answer"]
