"""HTTP Live Streaming: playlists over the fragments that the parts are."""
