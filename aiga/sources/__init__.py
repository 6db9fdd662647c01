"""Data of a project: read as recorded versions, checked against its contract, watched, and had back later."""
