"""The inference process: loads a model once and answers short questions that need one.

The server (`app.shell.inference`) asks over a pipe and imports no framework itself. Each file
answers one kind of question, registered by its function's name.
"""
