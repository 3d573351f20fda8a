"""What waits, connects or counts for the data plane.

In reading order: `program` (all parts, joined); `listener`, `gate`, `downstream` (clients), `relay` (one
exchange), `dispatch` (the door from events to requests), `connector` and
`upstream` (pods), `flow`, `hangups`, `sweep`;
`watches` (what is watched), `endpoints` (objects into revisions and pods), `probe` (pods are asked), `waking`
(the wake guard), `link` (to the autoscaler), `orders` (its orders carried out);
`coldstarts`, `metrics`, `admin` (what is told).
"""
