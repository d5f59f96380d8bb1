"""The kinds of node: computer, switch, router."""
