"""Synthesis: drawn images with known defects or findings, for training and demonstration.

    surfaces    pictures of surfaces and things with defects, and masks of the defects
    chests      chest X-rays with findings, labels, masks and reports
    generation  the loop that writes any number of either
    demo        the small sets of ``zerosight demo``

Training, models and backbones never import it.
"""
