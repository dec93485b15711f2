"""Resources of evidence: who says what of the graph."""
