#!/usr/bin/env bash
# Make the shipped radz-tiny from nothing: about 15 minutes on 2 cores.
#   tools/make_radz_tiny.sh WORK
# Needs zerosight[xray] in the PATH. Images: chest X-rays drawn by procedure. Text: the Indiana University
# reports (in the package torchxrayvision), reports by template, our own descriptions. No patient's image.
set -euo pipefail
work=${1:?give an empty folder to work in}
mkdir -p "$work"
cd "$(dirname "$0")/.."

python tools/fit_lite_decoder.py
zerosight data phantoms --out "$work/phantoms" --count 7000 --seed 5 --workers 2
zerosight train radz "$work/phantoms/manifest.jsonl" --config tools/radz_tiny.yaml --out "$work/run" --cache "$work/cache"
python tools/radz_familiarity.py "$work/run" "$work/phantoms/manifest.jsonl" --images 1000 --limitation \
    "Trained on X-rays drawn by procedure alone: it knows nothing of real ones, and what it says of one means nothing."
zerosight data phantoms --out "$work/dev" --count 1000 --seed 77 --workers 2 --masks
zerosight calibrate "$work/dev/manifest.jsonl" --model "$work/run" --split train,val,test --only-maps --out "$work/radz-tiny"
zerosight data phantoms --out "$work/test" --count 500 --seed 99 --workers 2 --masks
zerosight evaluate --model "$work/radz-tiny" --data "$work/test/manifest.jsonl" --split train --split val --split test --out "$work/evaluation"
python tools/ship.py "$work/radz-tiny" "$work/evaluation/evaluation.json" --command tools/make_radz_tiny.sh
