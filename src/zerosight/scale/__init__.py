"""Scale: predictions on a Ray cluster; needs ``pip install 'zerosight[ray]'``, there and here.

cluster   the way to Ray: connected, asked for its resources and whether it has the package
work      what runs on its machines: images are decoded in tasks, scored by actors that keep the model
blocks    what is written here: a part of a Parquet table per block of images, gone on with
actors    who keeps something large and works off portions that come back in their order
judge     actors that hold a model to labelled images, for an evaluation that runs here
features  actors that look at what the cache of a training lacks, which runs here
deploy    replicas of the server, behind Ray Serve
run       the images of a run, portion by portion through Ray Data and block by block to the disk
"""
