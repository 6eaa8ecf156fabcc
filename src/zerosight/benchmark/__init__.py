"""What the library measures about itself."""
