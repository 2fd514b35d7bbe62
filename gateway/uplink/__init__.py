"""From the buffer to a platform, and the proof back."""
