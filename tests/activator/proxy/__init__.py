"""The data plane, bytes in and bytes out. Where a behaviour is tested:

- a warm request, bodies, keep-alive, pipelining: `test_proxy`; framing and smuggling: `test_framing`;
  each framing case against real servers: `test_real_servers`
- buffering, queue bounds, activation timeout: `test_holding`; thousands of buffered requests:
  `test_held`; 10,000 hosts: `test_hosts`
- retries, connection failures: `test_retrying`, `test_second_attempts`; pods that are killed:
  `test_killed_pods`; reuse of pod connections: `test_reuse`
- clients that disconnect or half-close: `test_client_ends`
- malformed and early responses of pods: `test_pods_answers`; local responses: `test_own_replies`; aborted
  responses: `test_after_the_head`; their Date: `test_dates`
- held requests whose Route or revision changes: `test_rerouting`; hooks that raise: `test_hooks`
- upgrades and tunnels: `test_upgrades`; streams and back-pressure: `test_streams`,
  `test_fairness`
- requests forwarded between activators: `test_peers`
- draining and shutdown: `test_drain`; slow and hostile clients: `test_hostile`; random failures:
  `test_chaos`
- the request log: `test_request_log`
"""
