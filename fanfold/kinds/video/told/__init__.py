"""What is told of a video: metadata apart, its scenes, posters, subtitles, transcript and keywords."""
