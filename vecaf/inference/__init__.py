"""The inference process: it keeps models in memory and answers short requests that need one.

The server sends requests through a pipe, so it does not import a machine-learning framework. Each
file handles one kind of request, registered under the name of its function.
"""
