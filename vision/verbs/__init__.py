"""What ``python -m vision VERB`` can do, one module a verb; see ``vision.__main__``."""
