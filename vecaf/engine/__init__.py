"""The job queue, the worker that serves it, and the engines that execute jobs.

A job is a run, an import, or a task. Its row in the store describes it and holds its state; queued
rows are the queue. The dispatcher of the worker starts jobs on an engine: `local`, child processes
on this machine, or `ray`, a cluster. Each execution is an attempt. Every write of its process names
the attempt, so that an outdated attempt can't write.
"""
