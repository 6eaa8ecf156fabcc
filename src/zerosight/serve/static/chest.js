// The page of chest X-rays: findings with what they are called, for research only. Names stay in the browser's
// file dialogue: an image is "image 3" to the server and on the page, and nothing of it is stored.

import { askJson, bytesOf, element, facts, fillModels, plural, Refused } from "./api.js";
import { chosen, onDrop } from "./files.js";
import { decode, paintHeat } from "./maps.js";

const part = (name) => document.getElementById(name);
const labels = part("labels"), agree = part("agree"), files = part("files"), list = part("studies"), every = part("every");
const model = () => facts.models.find((one) => one.name === part("model").value) ?? facts.models[0];
let count = 0, done = 0;
const waiting = [];
let working = false;

function add(found) {
  if (!agree.checked) {
    part("progress-text").textContent = "First say that this is for research only.";
    agree.focus();
    return;
  }
  waiting.push(...found.map(({ file }) => ({ file, name: `image ${++count}` })));
  if (!working) work();
}

async function work() {
  working = true;
  while (waiting.length) {
    part("progress-text").textContent = `${done} of ${count} …`;
    const { file, name } = waiting.shift();
    try {
      list.append(study(await look(file, name), name));
    } catch (error) {
      const line = element("li");
      line.append(element("b", "", name), element("span", "", error instanceof Refused ? error.message : "the server did not answer"));
      list.append(line);
    }
    done++;
  }
  part("progress-text").textContent = plural(done, "image");
  working = false;
}

async function look(file, name) {
  const form = new FormData();
  form.append("images", file, name);
  if (labels.value.trim()) form.append("labels", labels.value);
  const query = new URLSearchParams({ model: model().name, map: "png", preview: true, below: every.checked });
  return (await askJson(`/v1/findings?${query}`, { method: "POST", body: form }, 600)).predictions[0];
}

function study(found, name) {
  const line = element("li"), left = element("div"), picture = element("div", "picture"), side = element("div");
  const photo = new Image(), heat = document.createElement("canvas");
  photo.src = URL.createObjectURL(new Blob([bytesOf(found.preview.data)], { type: "image/jpeg" }));
  photo.alt = `${name}, a chest X-ray`;
  heat.setAttribute("aria-hidden", "true");
  picture.append(photo, heat);
  left.append(picture, opacity(heat, name));
  const present = found.findings.filter((one) => one.is_present).map((one) => one.name);
  side.append(element("h2", "", name));
  if (found.is_familiar === false) {
    line.className = "unfamiliar";
    side.append(element("p", "", "Unlike anything this model was trained on: what it says below means nothing."));
  }
  if (found.limitation) side.append(element("p", "soft", found.limitation));
  side.append(element("p", "soft", `Called present: ${present.join(", ") || "none"}. Scored by ${found.mode}; anchors ${found.provenance}. Choose one called present to see where the image resembles it.`));
  const hidden = found.findings.filter((one) => one.no_map);
  if (hidden.length) side.append(element("p", "soft", `No map of ${hidden.map((one) => one.name).join(", ")}: ${hidden[0].no_map}.`));
  for (const finding of found.findings) side.append(bar(finding, found, heat));
  line.append(left, side);
  return line;
}

// How much of the map is laid over the photo; it appears with the first map.
function opacity(heat, name) {
  const label = element("label", "opacity soft", "Map"), slider = element("input");
  Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.05, value: 0.5 });
  slider.setAttribute("aria-label", `Opacity of the map over ${name}`);
  const set = () => { heat.style.opacity = slider.value; };
  slider.addEventListener("input", set);
  set();
  label.append(slider);
  label.hidden = true;
  return label;
}

function bar(finding, found, heat) {
  const apart = finding.name === "attention" || finding.name.startsWith("map of ");
  const map = found.maps?.[apart ? `map of ${finding.name}` : finding.name];
  const row = element(map ? "button" : "div", `finding ${finding.is_present ? "present" : "absent"}`), meter = element("span", "meter");
  meter.append(element("i"), element("u"));
  meter.setAttribute("aria-hidden", "true");
  meter.style.setProperty("--score", finding.probability);
  meter.style.setProperty("--limit", finding.threshold);
  row.append(element("span", "", finding.name), meter, element("span", "", finding.probability.toFixed(2)));
  if (!map) return row;
  row.type = "button";
  row.disabled = !finding.is_present && !every.checked;
  row.setAttribute("aria-pressed", "false");
  row.addEventListener("click", async () => {
    const shown = row.getAttribute("aria-pressed") === "true";
    hideMap(row.closest("li"));
    if (shown) return;
    row.setAttribute("aria-pressed", "true");
    const levels = await decode(map);
    if (row.getAttribute("aria-pressed") !== "true") return;
    paintHeat(heat, levels, 0.5);
    row.closest("li").querySelector(".opacity").hidden = false;
  });
  return row;
}

function hideMap(line) {
  for (const row of line.querySelectorAll("[aria-pressed=true]")) row.setAttribute("aria-pressed", "false");
  const heat = line.querySelector("canvas");
  heat.width = heat.height = 1;
}

// Maps of findings that are called absent draw the eye to nothing: they are shown where they are asked for.
function allowMaps() {
  for (const row of list.querySelectorAll("button.absent")) {
    row.disabled = !every.checked;
    if (row.disabled && row.getAttribute("aria-pressed") === "true") hideMap(row.closest("li"));
  }
}

function complete() {
  const before = labels.value.includes(",") ? `${labels.value.slice(0, labels.value.lastIndexOf(",") + 1)} ` : "";
  part("known").replaceChildren(...model().card.labels.map((name) => new Option("", before + name)));
}

fillModels(part("model"), facts.models);
complete();
labels.addEventListener("input", complete);
every.addEventListener("change", allowMaps);
agree.addEventListener("change", () => { files.disabled = !agree.checked; });
files.addEventListener("change", (event) => { add(chosen(event.target.files)); event.target.value = ""; });
onDrop(part("drop"), add);
