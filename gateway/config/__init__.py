"""The site file: read, checked, resolved."""
