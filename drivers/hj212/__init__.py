"""HJ 212: the frames in which Chinese environmental instruments report, 2005 to 2025.

``frame`` finds frames in bytes, ``segment`` reads what they say, ``build`` writes them;
``listener`` and ``device`` make readings of what instruments push.
"""
