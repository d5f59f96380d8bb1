"""An internet you can pip install."""
