"""The shortest client: a file to a deployment, its answer as a table; and traffic for demonstrations."""
