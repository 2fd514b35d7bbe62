"""HJ 212 platforms: what we send them, what they answer, what they ask for.

``seams`` says who asks what of whom; ``frames`` makes uploads of periods and values,
``exchange`` sends one and waits for its answer, ``pump`` does so for as long as the
gateway runs, ``host`` decides about what the platform asks.
"""
