"""What waits, connects or counts for the data plane.

Reading order: `program` (all parts, joined), `http/` (sockets: from clients to pods and back), `cluster/`
(watched and asked), `link/` (to the autoscaler), `peers/` (to other activators); `coldstarts`, `refusals`,
`requestlog`, `metrics`, `admin` (what is told).
"""
