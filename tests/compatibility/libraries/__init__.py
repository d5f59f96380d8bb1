"""A module for each library: what stands in the table, a server, and a client."""
