#!/usr/bin/env bash
# Draws the icon's PNGs: the shapes of packaging/dev.autopilot.Autopilot.svg, since ImageMagick alone reads no SVG.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../packaging"

for size in 48 128 256; do
    convert -size 1024x1024 xc:none \
        -fill '#0d1117' -draw 'roundrectangle 32,32 991,991 208,208' \
        -fill none -stroke '#e6edf3' -strokewidth 40 -draw 'circle 512,512 512,160' \
        -stroke none -fill '#f7931a' -draw 'polygon 580,192 300,568 480,568 444,832 724,456 544,456' \
        -resize "${size}x$size" -depth 8 -strip -define png:exclude-chunks=date,time "icon-$size.png"
done
