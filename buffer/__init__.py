"""A durable, bounded log of opaque records with a cursor per target."""
