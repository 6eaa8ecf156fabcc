"""Training of LLaVA-RadZ: pairs in, gradients of the whole batch in chunks, over any number of processes."""
