"""Model servers: one process of MLServer for each predictor, in an environment of their own."""
