"""The resources of the store as a whole: import, export, counts. They know no other subject's resources."""
