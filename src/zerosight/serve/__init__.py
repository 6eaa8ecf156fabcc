"""The server: a page for people, an API for machines; needs ``pip install 'zerosight[serve]'``.

A process answers requests and never touches the model; models run in processes of their own
(:mod:`zerosight.serve.worker`), which may crash without taking a request with them.
"""
