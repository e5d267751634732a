"""The durable queue, the worker that takes from it, and the child process that does a job.

A job is a run or an import. Its row in the store says what it is and how it stands; a DBOS workflow
of the same name sees to it that some worker carries it through. The workflow's worker starts a
child process for each attempt; the child writes results, fenced by the attempt's number.
"""
