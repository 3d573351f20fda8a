"""Each program has the rights that it uses, and uses the rights that it has.

One long story in which everything happens that our programs do at the API server; then its audit log is held
against the Roles in config/.
"""

from testkit.kubernetes.programs import Programs
from testkit.kubernetes.rights import granted, requests
from testkit.kubernetes.story import Story


def test_each_right_is_used_and_nothing_is_denied(programs: Programs) -> None:
    """Least privilege, measured: granted is what was used; and what was asked for was granted."""
    story, since = Story(programs), programs.plane.audit_log.stat().st_size
    story.begins()
    story.lives()
    story.is_pressed()
    story.plain_ones_too()
    story.leaders_change()
    story.is_probed()
    story.ends()
    assert set(programs.stop()) == {0}

    asked = requests(programs.plane.audit_log, since)
    assert {request.account for request in asked} == {request.agent for request in asked}, (
        "each under its own"
    )
    assert [request for request in asked if not request.is_allowed] == []
    unused = {right for right in granted() if not any(request.uses(right) for request in asked)}
    assert unused == set()
    theirs = {
        (request.account, request.reason)
        for request in asked
        if "zerogate-" not in request.reason and not request.is_everybodys
    }
    assert theirs == set(), "no right comes from elsewhere"
