"""Real tables that other people wrote: those that lie in installed packages, and in any folder one names.

`python -m tests.corpus [FOLDER…]` reads every one of them in chunks and compares it with `csv.reader`.
"""
