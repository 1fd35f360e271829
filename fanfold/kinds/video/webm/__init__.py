"""WebM files: made of the samples that an MP4 would hold."""
