"""What the autoscaler hears and says.

Reading order: `load` (how busy a revision is), `reports` (what is told, and when), `orders` (which pods
are to be left alone), `owners` (who holds each hard limit).

Admitted here: what stands behind the messages of the link.
"""
