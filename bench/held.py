"""10,000 requests held for 20 s: `python -m bench.held [--requests 10000]`; results/held.json.

One pod comes then; before, a thousand clients have hung up. The same number once more, with no pod and a
patience of three seconds. Ends with 1 where a bar is missed.
"""

import argparse

from bench import report
from testkit.proxy.buffered import expired, held_and_released
from testkit.proxy.crowd import make_room

KIB_EACH = 10
LEFT_WITHIN = 0.1
LATE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=10_000)
    options = parser.parse_args()
    make_room()
    released = held_and_released(options.requests, wait=20.0, leavers=1000)
    late = expired(options.requests, patience=3.0)
    all_answered = {"200": released["held"] - released["left"]}
    bars = {
        f"{released['bytes_each'] / 1024:.1f} KiB each, at most {KIB_EACH}": (
            released["bytes_each"] < KIB_EACH << 10
        ),
        f"answers {released['answers']}, of {all_answered}": released["answers"] == all_answered,
        f"who hung up left within {released['left_within']:.3f} s, at most {LEFT_WITHIN}": (
            released["left_within"] < LEFT_WITHIN
        ),
        f"deadlines missed by {late['late'] * 1000:.0f} ms at most, bar {LATE * 1000:.0f}": late["late"]
        < LATE,
    }
    for what, is_met in bars.items():
        print(f"{'met   ' if is_met else 'MISSED'}  {what}")
    print(f"        all answered {released['released_within']} s after the pod was ready")
    print(report.written("held", {"released": released, "expired": late}))
    if not all(bars.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
