"""Training: manifests in, a run folder with weights, card, log and checkpoints out."""
