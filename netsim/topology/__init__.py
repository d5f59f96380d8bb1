"""From a topology file to a checked model, a networkx graph, and a plan."""
