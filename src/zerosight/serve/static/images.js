// The page of images: drop, look, move the threshold, mark, learn, download.

import { ask, askJson, bytesOf, element, facts, fillModels, formOf, percent, plural, Refused, save, sendJson } from "./api.js";
import { chosen, isNative, onDrop } from "./files.js";
import { dress, makeCard, plot } from "./gallery.js";
import * as kept from "./kept.js";
import * as large from "./large.js";
import { decode, thumbnails } from "./maps.js";
import { confusion, csv, upper } from "./statistics.js";

const part = (name) => document.getElementById(name);
const AT_ONCE = 4;
const state = { items: [], failed: [], waiting: [], total: 0, done: 0, begun: 0, running: 0, stop: null, threshold: 0.5, marks: new Map(), models: facts.models };
const model = () => state.models.find((one) => one.name === part("model").value) ?? state.models[0];
// At its own threshold an image is what the server says: scores are rounded on their way.
const isBad = (item) => (state.threshold === item.ownThreshold ? item.anomalous : item.score >= state.threshold);

// ---- looking ----------------------------------------------------------------------------------------------

function add(files) {
  part("left-out").textContent = files.leftOut ? `${plural(files.leftOut, "file")} left out: hidden, or no image by its name.` : "";
  if (!files.length) return;
  if (!state.running) Object.assign(state, { total: 0, done: 0, begun: performance.now(), stop: new AbortController() });
  state.waiting.push(...files);
  state.total += files.length;
  part("progress").hidden = part("stop").hidden = false;
  while (state.running < AT_ONCE && state.waiting.length) work();
  showProgress();
}

async function work() {
  state.running++;
  while (state.waiting.length) {
    const { file, name } = state.waiting.shift();
    try {
      await look(file, name, model());
    } catch (error) {
      if (error.name === "AbortError") continue;
      const reason = error instanceof Refused ? error.message : "the server did not answer";
      fail(name, reason);
      kept.keep({ name, reason });
    }
    state.done++;
    showProgress();
  }
  state.running--;
  if (!state.running) finish();
}

async function predict(file, name, by, preview) {
  const query = new URLSearchParams({ model: by.name, map: "png", hash: true, preview });
  const options = { method: "POST", body: formOf([file], [name]), signal: state.stop?.signal };
  return (await askJson(`/v1/predict?${query}`, options, 600)).predictions[0];
}

async function look(file, name, by) {
  const found = await predict(file, name, by, !isNative(file));
  await place({ file, name, by: by.name, found, number: await kept.keep({ file, name, by: by.name, found }) });
}

// Put an image that was looked at, just now or before the page was loaded anew, where it belongs.
async function place({ file, name, by, found, number }) {
  const shown = found.preview ? new Blob([bytesOf(found.preview.data)], { type: "image/jpeg" }) : file;
  const item = { file, name, by, number, preview: found.preview, url: URL.createObjectURL(shown) };
  update(item, found);
  item.thumbs = await thumbnails(shown, await decode(found.map), item.pixelThreshold);
  item.card = makeCard(item, large.show);
  insert(item);
  refreshSoon();
}

function update(item, found) {
  Object.assign(item, { score: found.score, width: found.width, height: found.height, regions: found.regions, map: found.map, hash: found.hash, pixelThreshold: found.pixel_threshold, ownThreshold: found.threshold, anomalous: found.is_anomalous, familiar: found.is_familiar });
  item.mark = state.marks.get(item.hash)?.verdict ?? null;
}

// Bring back what this tab showed before it was loaded anew.
async function restore() {
  for (const [number, { file, name, by, found, reason }] of await kept.restore()) {
    try {
      if (found) await place({ file, name, by, found, number }); else fail(name, reason);
    } catch { /* the browser has lost the file */ }
  }
}

async function clear() {
  if (state.running) part("stop").click();
  await kept.clear();
  for (const { url, thumbs } of state.items) for (const one of [url, ...thumbs]) URL.revokeObjectURL(one);
  state.items = [];
  state.failed = [];
  for (const name of ["gallery", "failures"]) part(name).replaceChildren();
  part("failed").hidden = part("progress").hidden = true;
  refreshSoon();
  part("files").focus();
}

function fail(name, reason) {
  state.failed.push({ source: name, error: reason });
  const line = element("li");
  line.append(element("b", "", name), element("span", "", reason.startsWith(`${name}: `) ? reason.slice(name.length + 2) : reason));
  part("failures").append(line);
  part("failed").hidden = false;
  refreshSoon();
}

function showProgress() {
  const { done, total, begun } = state;
  part("bar").value = total ? done / total : 0;
  const seconds = (performance.now() - begun) / 1000, left = done ? (seconds / done) * (total - done) : 0;
  const time = left > 90 ? `${Math.round(left / 60)} minutes` : `${Math.ceil(left)} s`;
  part("progress-text").textContent = done < total ? `${done} of ${total}${done > 2 ? `, about ${time} left` : ""}` : `${plural(total, "image")} in ${seconds.toFixed(1)} s`;
}

function finish() {
  part("stop").hidden = true;
  showProgress();
}

// ---- the gallery: worst first -----------------------------------------------------------------------------

function insert(item) {
  let low = 0, high = state.items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (state.items[middle].score >= item.score) low = middle + 1; else high = middle;
  }
  const next = state.items[low];
  state.items.splice(low, 0, item);
  part("gallery").insertBefore(item.card, next ? next.card : null);
}

function resort() {
  state.items.sort((a, b) => b.score - a.score);
  part("gallery").append(...state.items.map((item) => item.card));
}

const visible = () => state.items.filter((item) => !item.card.hidden);

function filter() {
  const words = part("search").value.toLowerCase().split(/\s+/);
  const which = document.querySelector("input[name=show]:checked").value;
  const shows = { all: () => true, bad: isBad, good: (item) => !isBad(item), marked: (item) => item.mark };
  for (const item of state.items) item.card.hidden = !(shows[which](item) && words.every((word) => item.name.toLowerCase().includes(word)));
}

// ---- threshold, counts, marks -----------------------------------------------------------------------------

let planned = false;
function refreshSoon() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => { planned = false; refresh(); });
}

function refresh() {
  const { items, threshold } = state;
  part("results").hidden = !items.length && !state.failed.length;
  const bad = items.filter(isBad).length;
  const counts = { all: items.length + state.failed.length, bad, good: items.length - bad, failed: state.failed.length };
  for (const [name, count] of Object.entries(counts)) part(`count-${name}`).textContent = count.toLocaleString("en");
  for (const item of items) dress(item, isBad(item), threshold);
  filter();
  plot(items.map((item) => item.score), threshold);
  tellAlarms();
  showMatrix();
  large.refresh();
}

function setThreshold(value) {
  if (!(value >= 0 && value <= 1)) return;
  state.threshold = value;
  kept.write("zerosight.threshold", value);
  part("threshold").value = value;
  part("threshold-value").value = value.toFixed(3);
  refreshSoon();
}

// Marked images with their scores by the chosen model: those on the page, and those of earlier days.
function marked() {
  const here = new Map(state.items.filter((item) => item.mark).map((item) => [item.hash, { mark: item.mark, score: item.score }]));
  for (const [hash, mark] of state.marks) if (!here.has(hash) && mark.model === model().name) here.set(hash, { mark: mark.verdict, score: mark.score });
  return [...here.values()];
}

function tellAlarms() {
  const fine = marked().filter((one) => one.mark === "fine");
  const alarms = fine.filter((one) => one.score >= state.threshold).length;
  const own = model().card.thresholds;
  part("alarms").textContent = fine.length
    ? `False alarms: ${alarms} of ${plural(fine.length, "image")} marked fine (${percent(alarms, fine.length)}${alarms < fine.length ? `; with 95 % confidence below ${Math.ceil(100 * upper(alarms, fine.length))} %` : ""}).`
    : `Mark images as fine to see the rate of false alarms. The model's own threshold ${own.image.toFixed(3)}: ${own.source}.`;
}

function showMatrix() {
  const all = marked(), table = confusion(all, state.threshold);
  const fine = table.fine[0] + table.fine[1], defects = table.defect[0] + table.defect[1];
  part("matrix-card").hidden = !(fine && defects);
  for (const kind of ["fine", "defect"]) ["good", "bad"].forEach((side, i) => { part(`${kind}-${side}`).textContent = table[kind][i]; });
  part("matrix-text").textContent = `${table.defect[1]} of ${plural(defects, "defect")} found, ${table.fine[1]} of ${fine} fine called anomalous.`;
  const usable = state.items.filter((item) => item.mark === "fine").length;
  part("learn-button").disabled = !usable;
  part("learn-text").textContent = usable
    ? `${plural(usable, "image")} marked fine ${usable === 1 ? "is" : "are"} on this page. A model of your own can learn from ${usable === 1 ? "it" : "them"}; 20 or more are better.`
    : "Mark images as fine (F) or as a defect (D). From the fine ones a model of your own can learn.";
}

async function mark(item, verdict) {
  const before = item.mark;
  item.mark = before === verdict ? null : verdict;
  const said = { name: item.name, verdict, model: item.by, score: item.score, threshold: state.threshold };
  if (item.mark) state.marks.set(item.hash, said); else state.marks.delete(item.hash);
  refreshSoon();
  try {
    if (item.mark) await sendJson(`/v1/marks/${item.hash}`, "PUT", said);
    else await ask(`/v1/marks/${item.hash}`, { method: "DELETE" });
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return;
    item.mark = before;
    refreshSoon();
  }
}

function step(item, by) {
  const shown = visible(), next = shown[shown.indexOf(item) + by];
  if (!next) return;
  if (large.isOpen()) large.show(next); else next.button.focus();
}

// ---- learning ---------------------------------------------------------------------------------------------

async function learn(event) {
  event.preventDefault();
  const fine = state.items.filter((item) => item.mark === "fine"), name = part("learn-name").value, status = part("learn-status");
  const chosenFew = fitting(fine, facts.bulk);
  part("learn-button").disabled = true;
  status.textContent = `Learning from ${plural(chosenFew.length, "image")} …`;
  try {
    const before = model(), query = new URLSearchParams({ name });
    const body = formOf(chosenFew.map((item) => item.file), chosenFew.map((item) => item.name));
    const learnt = await askJson(`/v1/models/${encodeURIComponent(before.learnt ? facts.models[0].name : before.name)}/normals?${query}`, { method: "POST", body }, 900);
    state.models = (await askJson("/v1/models")).models.filter((one) => one.kind === "anomalies");
    status.textContent = `'${name}' has learnt from ${plural(learnt.images, "image")}. Comparing …`;
    await compare(before, learnt.model);
    fillModels(part("model"), state.models, before.name);
    status.textContent = [`'${name}' has learnt from ${plural(learnt.images, "image")}.`, ...learnt.notes].join(" ");
  } catch (error) {
    status.textContent = error.message;
  }
  part("learn-button").disabled = false;
}

function fitting(items, most) {
  const chosenFew = [];
  let size = 0;
  for (const item of items) {
    size += item.file.size + 1000;
    if (size > most || chosenFew.length >= facts.bulkFiles) break;
    chosenFew.push(item);
  }
  return chosenFew;
}

// Show what the new model says of the marked images, beside what the old one said.
async function compare(before, after) {
  const rows = [], wrong = { before: 0, after: 0 };
  for (const item of state.items.filter((one) => one.mark)) {
    const found = await predict(item.file, item.name, after, false);
    const isWrong = (bad) => bad !== (item.mark === "defect");
    wrong.before += isWrong(isBad(item));
    wrong.after += isWrong(found.is_anomalous);
    rows.push([item.name, item.mark, item.score, isBad(item), found.score, found.is_anomalous]);
  }
  const table = element("table", "plain"), head = table.createTHead().insertRow(), body = table.createTBody();
  table.append(element("caption", "hidden", "Marked images before and after learning"));
  for (const word of ["Image", "Marked", before.name, after.name]) {
    const cell = element("th", "", word);
    cell.scope = "col";
    head.append(cell);
  }
  for (const [name, said, old, oldBad, now, nowBad] of rows) {
    const row = body.insertRow(), words = (score, bad) => `${score.toFixed(3)} ${bad ? "anomalous" : "normal"}`;
    for (const text of [name, said, words(old, oldBad), words(now, nowBad)]) row.insertCell().textContent = text;
  }
  const use = element("button", "button", `Use ${after.name} from now on`);
  use.type = "button";
  use.addEventListener("click", () => { part("model").value = after.name; changeModel(); });
  const words = element("p", "", `Wrong on the marked images: ${wrong.before} before, ${wrong.after} after, of ${rows.length}.`);
  part("comparison").replaceChildren(words, table, use);
  part("comparison").hidden = false;
}

async function changeModel() {
  const by = model();
  kept.write("zerosight.model", by.name);
  setThreshold(by.card.thresholds.image);
  part("get-model").hidden = !by.learnt;
  part("get-model").href = `/v1/models/${encodeURIComponent(by.name)}/folder`;
  const again = [...state.items];
  if (!again.length) return;
  Object.assign(state, { total: again.length, done: 0, begun: performance.now(), stop: new AbortController() });
  part("progress").hidden = false;
  part("stop").hidden = false;
  const one = async () => {
    for (let item = again.shift(); item; item = again.shift()) {
      try {
        const found = await predict(item.file, item.name, by, false);
        update(item, found);
        item.by = by.name;
        kept.keep({ file: item.file, name: item.name, by: by.name, found: { ...found, preview: item.preview } }, item.number);
      } catch { /* stays as it was */ }
      state.done++;
      showProgress();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  resort();
  finish();
  refresh();
}

// ---- downloads --------------------------------------------------------------------------------------------

const plain = (item) => ({
  source: item.name, score: item.score, is_anomalous: isBad(item), threshold: state.threshold,
  pixel_threshold: item.pixelThreshold, height: item.height, width: item.width, regions: item.regions, is_familiar: item.familiar,
});

async function getReport() {
  const button = part("get-report"), pictured = fitting(state.items.slice(0, 100), facts.bulk), body = formOf(pictured.map((i) => i.file), pictured.map((i) => i.name));
  body.append("results", JSON.stringify(state.items.slice(pictured.length).map(plain)));
  button.disabled = true;
  try {
    const query = new URLSearchParams({ model: model().name, threshold: state.threshold });
    save("report.html", await (await ask(`/v1/report?${query}`, { method: "POST", body }, 900)).blob());
  } finally {
    button.disabled = false;
  }
}

function getCsv() {
  const head = ["source", "score", "is_anomalous", "threshold", "pixel_threshold", "height", "width", "regions", "mark", "error"];
  const rows = state.items.map((item) => [item.name, item.score, isBad(item), state.threshold, item.pixelThreshold, item.height, item.width, item.regions.length, item.mark ?? "", ""]);
  const failed = state.failed.map(({ source, error }) => [source, "", "", "", "", "", "", "", "", error]);
  save("predictions.csv", csv([head, ...rows, ...failed]), "text/csv");
}

// ---- putting it together ----------------------------------------------------------------------------------

large.prepare({ step, mark, isBad, closed: (item) => item?.button.focus() });
const [chosenModel, chosenThreshold] = ["model", "threshold"].map((name) => kept.read(`zerosight.${name}`));
fillModels(part("model"), state.models, chosenModel);
setThreshold(chosenThreshold === null || (chosenModel && chosenModel !== model().name) ? model().card.thresholds.image : Number(chosenThreshold));
restore();
part("get-model").hidden = !model().learnt;
part("get-model").href = `/v1/models/${encodeURIComponent(model().name)}/folder`;
part("clear").addEventListener("click", clear);
onDrop(part("drop"), add);
for (const name of ["files", "folder"]) part(name).addEventListener("change", (event) => { add(chosen(event.target.files)); event.target.value = ""; });
part("stop").addEventListener("click", () => { state.total -= state.waiting.length; state.waiting = []; state.stop?.abort(); });
part("threshold").addEventListener("input", (event) => setThreshold(Number(event.target.value)));
part("threshold-value").addEventListener("change", (event) => setThreshold(Number(event.target.value)));
part("threshold-reset").addEventListener("click", () => setThreshold(model().card.thresholds.image));
part("model").addEventListener("change", changeModel);
part("search").addEventListener("input", filter);
for (const choice of document.querySelectorAll("input[name=show]")) choice.addEventListener("change", filter);
part("learn").addEventListener("submit", learn);
part("get-report").addEventListener("click", getReport);
part("get-csv").addEventListener("click", getCsv);
part("get-json").addEventListener("click", () => save("predictions.json", JSON.stringify({ model: model().name, predictions: state.items.map(plain), failures: state.failed }, null, 1), "application/json"));
document.addEventListener("keydown", (event) => {
  if (large.isOpen() || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const item = state.items.find((one) => one.button === document.activeElement), shown = visible();
  const keys = { j: () => (item ? step(item, 1) : shown[0]?.button.focus()), k: () => item && step(item, -1), f: () => item && mark(item, "fine"), d: () => item && mark(item, "defect") };
  const action = keys[event.key.toLowerCase()];
  if (action) { event.preventDefault(); action(); }
});
askJson("/v1/marks").then(({ marks }) => {
  for (const one of marks) if (!state.marks.has(one.hash)) state.marks.set(one.hash, one);
  for (const item of state.items) item.mark ??= state.marks.get(item.hash)?.verdict ?? null;
  refreshSoon();
});
