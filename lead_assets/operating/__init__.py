"""Watching over the graph: is each campaign as fresh as declared, what is wrong right now, and who is told of it once."""
