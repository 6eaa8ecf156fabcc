"""What reading decoder states costs, beside the obvious way and beside asking the model."""
