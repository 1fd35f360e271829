"""Laying out what is no MP4: Matroska, MPEG-TS and AVI say of no sample where it is before it is read."""
