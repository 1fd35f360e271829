"""Opening: what cannot be split as it is becomes plain text in the work bucket, and is split as that.

A compressed object is a chain of units (gzip members, bzip2 streams, zstd frames), each of which inflates by itself.
So it is cut anywhere, and each worker guesses where the first unit in its span begins and inflates from there to the
first one behind it. Parts whose ends and starts meet, from the first byte to the last, are what a sequential reader
inflates, however each start was guessed. An object of one unit is one worker's, which streams it in bounded memory.

Text in an encoding that cannot be cut at any byte goes through here as well, in one stream, and comes out as UTF-8.
"""
