"""The journal: every change of the graph, in order, and the runs that changes are part of."""
