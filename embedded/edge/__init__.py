"""Where the embedded cluster waits, connects, and starts processes.

In reading order.

The API's doors: `server` (HTTPS), `lock` (certificates and the credential), `local` (calls within the
process), `logs` (reading and following the logs of containers).

The controllers: `controllers`, `queue` (each key once at a time).

The node: `node` (the agent), `machine` (the computer under it), `workshop` (what its pods share), `pod`
and `container` (their lives), `imagetable`, `sources` (config maps and secrets of environments),
`probes`, `process` and `proc` (one process, and what Linux tells of it), `records` (no orphans),
`logfiles`.
"""
