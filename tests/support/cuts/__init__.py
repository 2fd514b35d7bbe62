"""Power cuts without a power switch (FM methods T2): record, take apart, open again.

    work.py    a child process runs the real buffer, telling the truth as it goes
    trace.py   its calls, seen by strace, as operations on files
    disk.py    every state a disk may legally be in after a cut anywhere among them
    judge.py   opens such a state and holds it against the truth told before the cut

``python -m tests.support.cuts SEED`` plays one run again. The idea is that of ALICE
(Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018).
"""
