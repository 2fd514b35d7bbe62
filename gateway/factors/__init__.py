"""What a station reports: units, digits, factor codes, and how each target has it."""
