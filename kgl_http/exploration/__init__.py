"""The resources of walks: neighborhoods, paths, subgraphs, summaries. They know no other subject's resources."""
