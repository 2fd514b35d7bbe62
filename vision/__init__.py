"""Frames to alarms, in a process of its own. Arrives with the first shipped model."""
