"""The console: every run in a browser, to watch, to inspect and to replay.

Server-rendered pages over the public APIs of AWS alone; the engine differs from AWS by the endpoint. What it shows of
jobs comes from the modules that the command line uses too; what is here is how it looks, how it stays live, how it
asks AWS no more than its quotas allow, and who may see it.
"""
