// Maps: from the server's grey PNG to colours over a photo and outlines around what is at or above a limit.
// The colour scale is fixed, 0 to 1 for every image, as in the report.

import { bytesOf, facts } from "./api.js";

const LARGEST = 2048;
const colours = (facts.palette ?? []).map((hex) => [0, 2, 4].map((place) => parseInt(hex.slice(place, place + 2), 16)));

// Return the map's levels, 0 … 255 for 0 … 1, at its own size or at most at LARGEST.
export async function decode(picture) {
  const blob = new Blob([bytesOf(picture.data)], { type: "image/png" });
  const plain = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  let bitmap = await createImageBitmap(blob, plain);
  const shrink = LARGEST / Math.max(bitmap.width, bitmap.height);
  if (shrink < 1) {
    const size = { resizeWidth: Math.round(bitmap.width * shrink), resizeHeight: Math.round(bitmap.height * shrink) };
    bitmap.close();
    bitmap = await createImageBitmap(blob, { ...plain, ...size });
  }
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const levels = new Uint8Array(width * height);
  for (let i = 0; i < levels.length; i++) levels[i] = rgba[4 * i];
  return { width, height, levels };
}

// Opacity per level: none up to half the limit, 0.55 at it, 0.85 at 1; the same curve as the report's.
function opacities(limit) {
  const at = Math.min(Math.max(limit, 1e-3), 1 - 1e-3);
  return Uint8Array.from({ length: 256 }, (_, level) => {
    const value = level / 255;
    const rise = Math.min(Math.max((2 * value) / at - 1, 0), 1);
    const above = Math.min(Math.max((value - at) / (1 - at), 0), 1);
    return Math.round(255 * (0.55 * rise * rise * (3 - 2 * rise) + 0.3 * above));
  });
}

export function paintHeat(canvas, map, limit) {
  canvas.width = map.width;
  canvas.height = map.height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(map.width, map.height);
  const opacity = opacities(limit);
  for (let i = 0; i < map.levels.length; i++) {
    const level = map.levels[i];
    const [red, green, blue] = colours[level];
    image.data.set([red, green, blue, opacity[level]], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

// A line of red within white, just at the edge of what reaches the limit.
export function paintOutline(canvas, map, limit) {
  const { width, height, levels } = map;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const least = Math.ceil(limit * 255);
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && levels[y * width + x] >= least;
  const thick = Math.max(1, Math.sqrt(width * height) / 320);
  const edge = new Path2D();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue;
      if (!inside(x - 1, y)) { edge.moveTo(x, y); edge.lineTo(x, y + 1); }
      if (!inside(x + 1, y)) { edge.moveTo(x + 1, y); edge.lineTo(x + 1, y + 1); }
      if (!inside(x, y - 1)) { edge.moveTo(x, y); edge.lineTo(x + 1, y); }
      if (!inside(x, y + 1)) { edge.moveTo(x, y + 1); edge.lineTo(x + 1, y + 1); }
    }
  }
  context.lineCap = "round";
  context.strokeStyle = "#fff";
  context.lineWidth = 3 * thick;
  context.stroke(edge);
  context.strokeStyle = "#ff2654";
  context.lineWidth = 1.5 * thick;
  context.stroke(edge);
}

// Return small pictures of a photo and of the map over it, as object URLs.
export async function thumbnails(source, map, limit) {
  const side = 320;
  const bitmap = await createImageBitmap(source);
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(1, Math.round(bitmap.width * scale)), height = Math.max(1, Math.round(bitmap.height * scale));
  const photo = new OffscreenCanvas(width, height), over = new OffscreenCanvas(width, height);
  for (const canvas of [photo, over]) canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const heat = new OffscreenCanvas(1, 1);
  paintHeat(heat, map, limit);
  over.getContext("2d").drawImage(heat, 0, 0, width, height);
  const urls = [];
  for (const canvas of [photo, over]) urls.push(URL.createObjectURL(await canvas.convertToBlob({ type: "image/webp", quality: 0.8 })));
  return urls;
}
