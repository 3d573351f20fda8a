"""What an update is for: a grey release by percentage, and the way back."""

from kube.objects import Obj
from testkit.load import burst
from testkit.machines.laptop import Machine, host, service
from testkit.waiting import wait_for

NAME = "hello"


def _grey(up: Machine) -> Obj:
    """Apply World, then Grey with 20 % and the tag canary."""
    up.apply(service(NAME, env={"TARGET": "World", "DELAY": "0"}))
    up.wait_ready(NAME)
    grey = service(
        NAME, env={"TARGET": "Grey", "DELAY": "0"},
    )  # fmt: skip
    grey["spec"]["traffic"] = [
        {"revisionName": f"{NAME}-00001", "percent": 80},
        {"latestRevision": True, "percent": 20, "tag": "canary"},
    ]
    up.apply(grey)
    up.wait_ready(NAME)
    return grey


def _share_of_grey(up: Machine, requests: int) -> int:
    """How many of so many answers came from the new revision."""
    answers = [up.curl(host(NAME), "--parallel", path="/?[1-%d]" % requests)]  # noqa: UP031 - curl's own globbing
    greetings = "".join(answers)
    assert greetings.count("Hello") == requests
    return greetings.count("Grey")


def test_a_grey_release_splits_by_percentage_and_its_tag_reaches_only_the_new(up: Machine) -> None:
    """2,500 requests split 80/20 within four points (five standard deviations); the canary has the new."""
    _grey(up)
    assert 400 <= _share_of_grey(up, 2500) <= 600
    for _ in range(20):
        assert up.curl(f"canary-{host(NAME)}") == "Hello Grey!\n"
    revisions = up.kubectl("get", "revisions")
    assert f"{NAME}-00001" in revisions
    assert f"{NAME}-00002" in revisions


def test_a_rollback_sends_everything_to_the_old_revision(up: Machine) -> None:
    """100 % to the first revision: nobody sees the new one, and no new revision is made."""
    grey = _grey(up)
    grey["spec"]["traffic"] = [{"revisionName": f"{NAME}-00001", "percent": 100}]
    up.apply(grey)
    wait_for("the rollback", lambda: _share_of_grey(up, 30) == 0)
    assert _share_of_grey(up, 300) == 0
    assert len(up.get("revisions")["items"]) == 2


def test_a_failing_update_leaves_traffic_on_the_old_revision(up: Machine) -> None:
    """A new revision that cannot start says why; the old one goes on answering."""
    up.apply(service(NAME, env={"TARGET": "World"}))
    up.wait_ready(NAME)
    broken = service(NAME)
    broken["spec"]["template"]["spec"]["containers"][0]["image"] = "nobody.example/none:1"
    up.apply(broken)
    wait_for("READY False", lambda: "False" in up.kubectl("get", "ksvc", NAME))
    assert burst(up.door, host(NAME), 20).good == 20
    assert up.curl(host(NAME)) == "Hello World!\n"
