"""What the report of a failed test shows of the programs that ran beside it."""

import json
from pathlib import Path

from testkit.diagnosis import sections

POD = {
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default"},
    "spec": {"nodeName": "n"},
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "12:00", "reason": "Gone"}],
    },
}


def test_it_has_objects_with_their_conditions_events_and_the_end_of_each_log(tmp_path: Path) -> None:
    (tmp_path / "node.log").write_text("".join(f"line {number}\n" for number in range(100)))

    def kubectl(*arguments: str) -> str:
        return "an event" if "events" in arguments else json.dumps({"items": [POD]})

    found = dict(sections(kubectl, tmp_path, {}))
    assert found["objects"].splitlines() == [
        "Pod default/p phase=Running node=n",
        "    Ready=False since 12:00 Gone: ",
    ]
    assert found["events"] == "an event"
    assert found["node.log"].splitlines()[-1] == "line 99"
    assert "line 0\n" not in found["node.log"]


def test_a_server_that_is_away_is_told_and_keeps_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "node.log").write_text("the last word")

    def kubectl(*_arguments: str) -> str:
        raise RuntimeError("connection refused")

    found = dict(sections(kubectl, tmp_path, {"activator": 1}))
    assert found["objects"] == "not told: connection refused"
    assert found["/debug/state of activator"].startswith("not told: ")
    assert found["node.log"] == "the last word"
