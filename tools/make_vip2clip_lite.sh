#!/usr/bin/env bash
# Make the shipped weights from nothing: about 15 minutes on 2 cores, on Debian or a system with its packages.
#   tools/make_vip2clip_lite.sh WORK
# Needs zerosight in the PATH, apt-get, dpkg and unzip. Trained on synthesized images only.
set -euo pipefail
work=${1:?give an empty folder to work in}
mkdir -p "$work"
work=$(cd "$work" && pwd)

# Base textures: Debian's package openarena-081-textures (OpenArena, GPL-2+; see its copyright file).
cd "$work"
apt-get download openarena-081-textures
dpkg -x openarena-081-textures_*.deb package
unzip -q "$(find package -name '*.pk3')" 'textures/*' -d openarena

zerosight data synthesize --out "$work/aux" --count 4000 --seed 5 --base "$work/openarena/textures"
zerosight train vip2clip "$work/aux/manifest.jsonl" --out "$work/run" --cache "$work/cache" \
    --backbone lite --set name=vip2clip-lite
