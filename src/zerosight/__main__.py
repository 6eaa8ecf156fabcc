"""``python -m zerosight`` is the command ``zerosight``."""

from zerosight.cli.main import run

if __name__ == "__main__":
    run()
