"""Why a decision came out as it did, in words that follow "5 → 1: "."""

from autoscaler.kpa.decider import Decision
from autoscaler.kpa.spec import Spec


def reason(spec: Spec, decision: Decision) -> str:
    """The strongest cause alone."""
    if decision.desired > decision.undelayed:
        return f"{decision.desired} were wanted within the scale-down-delay of {spec.scale_down_delay:g} s"
    unit = "requests/s" if spec.metric == "rps" else "requests in flight"
    wanted = max(decision.stable_pods, decision.panic_pods if decision.is_panicking else 0)
    load = decision.averages.stable
    if decision.is_panicking and decision.panic_pods > decision.stable_pods:
        load = decision.averages.panic
    measured = f"{load + 0.0:.4g} {unit}, target {spec.target:.4g}"  # windows round dust to minus zero
    if decision.desired == decision.highest < wanted:
        return f"{measured}; one step goes up to {decision.highest} at most"
    if wanted < decision.desired == spec.activation_scale:
        return f"{measured}; activation-scale"
    if wanted < decision.desired and decision.is_panicking:
        return f"{measured}; in panic the number never falls"
    if wanted < decision.desired:
        return f"{measured}; one step goes down to {decision.lowest} at least"
    return measured + (" (panic)" if decision.is_panicking else "")
