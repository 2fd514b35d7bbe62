"""Named open gateways under our own load: ``python -m benchmarks.peers``.

Device server, broker and subscriber are those of :mod:`benchmarks`; each peer is
installed by pip, pinned, in an environment of its own in a cache folder, configured in
its own files, and read by a small adapter for its payload. ecogate runs through the
same steps as one row among the others. What was configured and what it means stands in
``docs/peers.md``. No test runs this: it installs other people's packages.
"""
