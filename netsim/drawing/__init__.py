"""Pictures of a network, from its plan: text tree, SVG, DOT and Mermaid."""
