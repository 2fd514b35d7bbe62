"""The parent's side of cameras: starts vision processes, watches them, tells all."""
