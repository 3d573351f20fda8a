"""The node agent: `agent.run` is the way in."""
