"""From sound to words: samples, where they may be cut, what was said in each piece, and the pieces joined."""
