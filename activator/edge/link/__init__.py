"""The link to the autoscaler.

Reading order: `link` (the WebSocket), `orders` (orders carried out).
"""
