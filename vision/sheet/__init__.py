"""Pictures of a trial to look at: frames with what was seen, and scores over time."""
