"""MP4 and QuickTime files: their index read by ranges, and made anew."""
