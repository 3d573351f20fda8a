"""What starts, wires and ends the programs."""
