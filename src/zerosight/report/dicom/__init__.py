"""Findings as DICOM objects, for the archives and viewers of a hospital; for research only.

    origin      what a new object takes of the image that it is about, and what it leaves
    picture     the image with a map over it, its findings in words and the notice, all in the pixels
    capture     that picture as a Secondary Capture
    structured  findings, thresholds, model and regions as a Structured Report (TID 1500)
    results     both beside the other results of an image

It needs the extra ``zerosight[dicom]``. Nothing here reads pixels.
"""
