"""The durable queue, the workers that take from it, and the child processes that do the jobs.

A job is a run, an import or a task. Its row in the store says what it is and how it stands, and the
rows that are queued are the queue. A worker, of which there may be many on many machines, takes one
and starts a child process for the attempt; the child writes results, fenced by the attempt's
number. A worker's heartbeat is its lease: when it stops, others go on with what it had taken.
"""
