"""Sockets: from clients to pods and back.

Reading order: `listener` (a socket and all that came through it), `gate` (what its connections share),
`downstream` (a client's connection), `relay` (one request and its answer), `dispatch` (the only door from
events to waiting requests), `connector` and `upstream` (connections to pods), `flow` (back-pressure),
`hangups` (clients that close a connection that is not read), `sweep` (deadlines), `faults` (exceptions of
hooks and deadlines), `dates` (the Date of responses), `kernel` (what only the kernel knows of a socket).
"""
