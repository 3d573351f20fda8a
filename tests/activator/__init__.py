"""Pure decisions and the edges of the activator; `proxy/` has the data plane."""
