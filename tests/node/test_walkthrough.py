"""The walk-through, releases and the no-loss suite once more, word for word, with real containers.

The programs are pods of the shipped Deployments; requests come in by the activators' Service.
"""

from tests.e2e.test_no_loss import (
    slow,
    test_deleting_a_pod_by_hand_loses_nothing,
    test_many_requests_are_held_while_one_pod_starts_slowly,
    test_scale_in_from_five_pods_to_one_loses_nothing,
    test_to_zero_and_back_loses_nothing,
    test_update_grey_release_and_rollback_lose_nothing,
)
from tests.e2e.test_releases import (
    test_a_grey_release_splits_by_percentage_and_its_tag_reaches_only_the_new,
    test_a_rollback_sends_everything_to_the_old_revision,
)
from tests.e2e.test_walkthrough import (
    test_a_burst_at_a_sleeping_service_is_answered_whole,
    test_hello_world_from_zero,
)

__all__ = [
    "slow",
    "test_a_burst_at_a_sleeping_service_is_answered_whole",
    "test_a_grey_release_splits_by_percentage_and_its_tag_reaches_only_the_new",
    "test_a_rollback_sends_everything_to_the_old_revision",
    "test_deleting_a_pod_by_hand_loses_nothing",
    "test_hello_world_from_zero",
    "test_many_requests_are_held_while_one_pod_starts_slowly",
    "test_scale_in_from_five_pods_to_one_loses_nothing",
    "test_to_zero_and_back_loses_nothing",
    "test_update_grey_release_and_rollback_lose_nothing",
]
