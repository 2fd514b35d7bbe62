"""The system clock: four facts of one instant that agree with the machine's own."""

import re
import time

from gateway.clock import SystemClock, kernel_synchronised


def test_one_instant_agrees_with_the_machine_s_clocks():
    clock = SystemClock(trust="always")

    before = time.time_ns() // 1_000_000, time.clock_gettime(time.CLOCK_BOOTTIME)
    instant = clock.now()
    after = time.time_ns() // 1_000_000, time.clock_gettime(time.CLOCK_BOOTTIME)

    assert before[0] <= instant.wall_ms <= after[0]
    assert int(before[1] * 1000) <= instant.mono_ms <= int(after[1] * 1000)
    assert instant.trusted


def test_the_boot_id_is_the_kernel_s_and_stays():
    assert re.fullmatch(r"[0-9a-f]{8}", SystemClock().boot)
    assert SystemClock().boot == SystemClock().boot


def test_without_the_operators_word_trust_is_what_the_kernel_says():
    assert SystemClock(trust="ntp").now().trusted is kernel_synchronised()
