"""What messages are: HTTP/1.1 as bytes.

Reading order: `http1` (the grammar of heads; how they are rewritten for the other side), `requests` (what
a request's head means to us, what of it a pod gets), `answers` (the same for a pod's answer), `bodies`
(where they end and what is in them), `forwarded` (who asked, as the pod is told), `replies` (what we
answer ourselves), `greeting` (the first line between two activators).

Admitted here: what follows from bytes alone.
"""
