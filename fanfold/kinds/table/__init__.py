"""Tables: CSV and JSON Lines, split at any byte, and folded into what a sequential parse gives.

A worker guesses where its first row begins, and parses exactly from there; the merge proves every guess or has it
run again. `bounds` and `certifying` hold that idea, the other modules what is done with the rows.
"""

from fanfold.kinds.table.merging import merge
from fanfold.kinds.table.planning import plan
from fanfold.kinds.table.records import records
from fanfold.kinds.table.sniffing import sniff
from fanfold.kinds.table.working import process

__all__ = ["merge", "name", "parts_version", "plan", "process", "records", "sniff"]

name = "table"
parts_version = 1
