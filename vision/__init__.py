"""Frames to alarms, in a process of its own."""
