"""What the README's figures come from: ``python -m benchmarks``, or ``make bench``.

The gateway, the device server, the broker and the subscriber are processes of their own
on loopback. Only the gateway is measured. Every figure is written to
``benchmarks/results/`` with the machine, the versions and the command that made it.
"""
