"""Real videos that other people wrote: those in any folder one names, and those with damage done to them.

`python -m tests.videos FOLDER…` makes every output of each in segments of a second, and compares it with what
libavformat and ffmpeg read of the whole file.
"""
