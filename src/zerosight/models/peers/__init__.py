"""Peers: other people's dual encoders that score findings as they come, for the same table.

    model         images and prompts in one space, as a model of findings
    openclip      CLIP, SigLIP and others of open_clip: names, folders, files in OpenAI's format (CheXzero)
    transformers  CLIP and SigLIP of transformers (MedSigLIP): repositories of the hub, folders
    load          ``openclip:NAME[@WEIGHTS]`` and ``hf:ID``
    classifier    ``xrv:NAME[@FILE]``: torchxrayvision's classifiers, with fixed labels instead of words
    wordless      what both refuse
    card          what is said of them

A finding is told by two prompts, its name and "no" with its name, as CheXzero does; with ``--descriptions``
by these. Departures: images keep their sides' ratio and are padded, where these models' own code crops or
squashes them; the maps of patches are ours.
Source: Tiu et al., Nature Biomedical Engineering 2022 (CheXzero: positive and negative prompts).
"""
