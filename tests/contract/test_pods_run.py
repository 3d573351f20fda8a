"""That the engines run pods at all, and say so in kubectl's words."""

from kube.resources import PODS
from testkit.contract.engine import Engine
from testkit.waiting import wait_for


def test_a_pod_becomes_ready_and_its_output_can_be_read(engine: Engine, pods: str) -> None:
    engine.create(
        PODS,
        {
            "metadata": {"name": "one", "namespace": pods},
            "spec": {"containers": [{"name": "main", "image": "contract/polite:1"}]},
        },
    )
    engine.kubectl("wait", "-n", pods, "pod/one", "--for=condition=Ready", "--timeout=180s")
    wait_for("its output", lambda: "listening" in engine.output(pods, "one"))
