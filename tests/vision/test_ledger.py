import json
import threading

import msgspec

from vision.ledger import KEPT, Ledger, Said
from vision.messages import Sight
from vision.verbs import label


def sight(n, state="raised", peak=0.6):
    return Sight(
        id=f"yard-m1-{n}",
        camera="yard",
        label="light_smoke",
        state=state,
        t_ms=n * 1000,
        began_ms=n * 1000,
        score=0.6,
        peak=peak,
        threshold=0.5,
        region=(0.6, 0.2, 0.7, 0.35),
        cells=6,
    )


def test_an_alarm_is_kept_with_its_peak_and_its_label(tmp_path):
    ledger = Ledger(tmp_path / "new", "yard")
    assert ledger.alarms() == []
    ledger.add(sight(1))
    ledger.add(sight(2))
    ledger.add(sight(1, "cleared", peak=0.8))
    ledger.add(Said(id="yard-m1-1", what="steam", at_ms=5))
    ledger.add(Said(id="yard-m1-1", what="cloud", at_ms=6))
    ledger.add(Said(id="never-was", what="fog", at_ms=7))

    first, second = ledger.alarms()
    assert (first.peak, first.what) == (0.8, "cloud")
    assert (second.peak, second.what) == (0.6, None)


def test_a_line_cut_off_by_a_power_failure_costs_itself_alone(tmp_path):
    ledger = Ledger(tmp_path, "yard")
    ledger.add(sight(1))
    path = tmp_path / "yard.jsonl"
    path.write_bytes(path.read_bytes() + msgspec.json.encode(sight(2))[:40])
    ledger.add(sight(3))
    assert [alarm.id for alarm in ledger.alarms()] == ["yard-m1-1", "yard-m1-3"]


def test_two_writers_do_not_mix_their_lines(tmp_path):
    ledger = Ledger(tmp_path, "yard")

    def write(first):
        for n in range(first, first + 50):
            ledger.add(sight(n))

    threads = [threading.Thread(target=write, args=(k * 100,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.alarms()) == 150


def test_it_is_bounded_and_forgets_labelled_alarms_last(tmp_path):
    path = tmp_path / "yard.jsonl"
    lines = [msgspec.json.encode(sight(n)) for n in range(2 * KEPT)]
    said = msgspec.json.encode(Said(id="yard-m1-3", what="steam", at_ms=1))
    path.write_bytes(b"\n".join([*lines, said]) + b"\n")
    ledger = Ledger(tmp_path, "yard")
    ledger.add(sight(9999))

    assert path.read_bytes().count(b"\n") < 2 * KEPT
    alarms = {alarm.id: alarm for alarm in ledger.alarms()}
    assert alarms["yard-m1-3"].what == "steam"
    assert "yard-m1-9999" in alarms
    assert "yard-m1-4" not in alarms


def test_the_verb_labels_the_last_alarm_and_proposes(tmp_path, capsys):
    ledger = Ledger(tmp_path, "yard")
    for n in (11, 12, 13):
        ledger.add(sight(n))
    for wanted in ("11", "12", "last"):
        given = ["--folder", str(tmp_path), "--camera", "yard"]
        label.main([*given, "--alarm", wanted, "--what", "steam"])
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [line["id"] for line in said if line["kind"] == "labelled"] == [
        "yard-m1-11",
        "yard-m1-12",
        "yard-m1-13",
    ]
    assert {line["do"] for line in said if line["kind"] == "proposal"} == {
        "ignore",
        "threshold",
    }
