"""The job queue, the workers that process it, and the child processes that run the jobs.

A job is a run, an import, or a task. Its row in the store describes it and holds its state; queued
rows are the queue. A worker claims a job and starts a child process for the attempt. Every write of
the child names the attempt, so that an outdated attempt can't write. The heartbeat of a worker is
its lease: when the lease expires, other workers reclaim its jobs.
"""
