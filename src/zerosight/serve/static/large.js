// The large view: photo, map and outline in layers, zoom and pan, regions, marks, keys.

import { element } from "./api.js";
import { judge } from "./gallery.js";
import { decode, paintHeat, paintOutline } from "./maps.js";

const part = (name) => document.getElementById(name);
const [dialog, frame, stage, photo, heat, lines, box, layer] =
  ["large", "frame", "stage", "photo", "heat", "lines", "box", "layer"].map(part);
const view = { scale: 1, x: 0, y: 0 };
let current = null, behaviour = null, layerBefore = 1;

// `actions` tells what follows what, and what marking does: { step(item, by), mark(item, verdict), isBad(item) }.
export function prepare(actions) {
  behaviour = actions;
}

export const isOpen = () => dialog.open;

export async function show(item) {
  current = item;
  if (!dialog.open) dialog.showModal();
  part("large-name").textContent = item.name;
  photo.src = item.url;
  photo.alt = item.name;
  for (const canvas of [heat, lines]) canvas.width = canvas.height = 1;
  box.hidden = true;
  stage.style.width = `${item.width}px`;
  stage.style.height = `${item.height}px`;
  listRegions(item);
  refresh();
  fit();
  frame.focus({ preventScroll: true });
  const map = await decode(item.map);
  if (current !== item) return;
  paintHeat(heat, map, item.pixelThreshold);
  paintOutline(lines, map, item.pixelThreshold);
}

// Show anew what the threshold or a mark has changed.
export function refresh() {
  if (!current || !dialog.open) return;
  const verdict = part("large-verdict");
  part("large-score").textContent = current.score.toFixed(3);
  judge(verdict, current.familiar, behaviour.isBad(current));
  part("large-fine").setAttribute("aria-pressed", current.mark === "fine");
  part("large-defect").setAttribute("aria-pressed", current.mark === "defect");
  const count = current.regions.length;
  const words = `${current.name}: score ${current.score.toFixed(3)}, ${verdict.textContent.toLowerCase()}, ${count} region${count === 1 ? "" : "s"}` +
    (count ? `, the strongest ${where(current.regions[0], current)}` : "");
  part("map-words").textContent = words;
  frame.setAttribute("aria-label", words);
}

function where(region, item) {
  const [left, top, right, bottom] = region.box;
  const x = (left + right) / 2 / item.width, y = (top + bottom) / 2 / item.height;
  const across = x < 1 / 3 ? "left" : x > 2 / 3 ? "right" : "middle", down = y < 1 / 3 ? "top" : y > 2 / 3 ? "bottom" : "centre";
  return `at the ${down} ${across}`;
}

function listRegions(item) {
  const list = part("large-regions");
  list.replaceChildren(...item.regions.slice(0, 50).map((region) => {
    const [left, top, right, bottom] = region.box;
    const line = element("li"), button = element("button", "", `${region.peak.toFixed(2)} · ${right - left} × ${bottom - top} px at ${left}, ${top}`);
    button.type = "button";
    for (const kind of ["mouseenter", "focus"]) button.addEventListener(kind, () => highlight(region));
    for (const kind of ["mouseleave", "blur"]) button.addEventListener(kind, () => { box.hidden = true; });
    line.append(button);
    return line;
  }));
  if (!item.regions.length) list.append(element("li", "none", "no region"));
}

function highlight(region) {
  const [left, top, right, bottom] = region.box;
  Object.assign(box.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px` });
  box.style.borderWidth = box.style.outlineWidth = `${Math.max(1, 2 / view.scale)}px`;
  box.hidden = false;
}

function place() {
  stage.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  stage.classList.toggle("near", view.scale > 3);
}

function fit() {
  const { clientWidth: width, clientHeight: height } = frame;
  view.scale = Math.min(width / current.width, height / current.height);
  view.x = (width - current.width * view.scale) / 2;
  view.y = (height - current.height * view.scale) / 2;
  place();
}

function zoom(by, x = frame.clientWidth / 2, y = frame.clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * by, 0.02), 40);
  view.x = x - ((x - view.x) * scale) / view.scale;
  view.y = y - ((y - view.y) * scale) / view.scale;
  view.scale = scale;
  place();
}

function setLayer(value) {
  layer.value = value;
  heat.style.opacity = Math.max(0, 1 - Math.abs(value - 1));
  lines.style.opacity = Math.max(0, value - 1);
  const words = value < 0.5 ? "original" : value < 1.5 ? "map" : "outline";
  layer.setAttribute("aria-valuetext", words);
}

function toggle() {
  const value = Number(layer.value);
  if (value > 0) { layerBefore = value; setLayer(0); } else setLayer(layerBefore || 1);
}

layer.addEventListener("input", () => setLayer(Number(layer.value)));
part("zoom-in").addEventListener("click", () => zoom(1.4));
part("zoom-out").addEventListener("click", () => zoom(1 / 1.4));
part("zoom-fit").addEventListener("click", fit);
part("large-close").addEventListener("click", () => dialog.close());
part("large-previous").addEventListener("click", () => behaviour.step(current, -1));
part("large-next").addEventListener("click", () => behaviour.step(current, 1));
part("large-fine").addEventListener("click", () => behaviour.mark(current, "fine"));
part("large-defect").addEventListener("click", () => behaviour.mark(current, "defect"));
dialog.addEventListener("close", () => behaviour.closed(current));
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
frame.addEventListener("wheel", (event) => {
  event.preventDefault();
  const bounds = frame.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 400), event.clientX - bounds.left, event.clientY - bounds.top);
}, { passive: false });

const pointers = new Map();
frame.addEventListener("pointerdown", (event) => {
  frame.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
});
frame.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  if (pointers.size === 1) {
    view.x += event.clientX - before.clientX;
    view.y += event.clientY - before.clientY;
    place();
  } else {
    const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const bounds = frame.getBoundingClientRect();
    zoom(apart(event) / Math.max(1, apart(before)), other.clientX - bounds.left, other.clientY - bounds.top);
  }
  pointers.set(event.pointerId, event);
});
for (const kind of ["pointerup", "pointercancel"]) frame.addEventListener(kind, (event) => pointers.delete(event.pointerId));

dialog.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target instanceof HTMLButtonElement;
  const keys = {
    j: () => behaviour.step(current, 1), k: () => behaviour.step(current, -1),
    f: () => behaviour.mark(current, "fine"), d: () => behaviour.mark(current, "defect"),
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: fit,
  };
  if (event.key === " " && !onButton) keys[" "] = toggle;
  const action = keys[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  event.stopPropagation();
  action();
});
new ResizeObserver(() => { if (dialog.open && current) fit(); }).observe(frame);
setLayer(1);
