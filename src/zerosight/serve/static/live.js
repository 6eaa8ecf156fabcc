// The live page: the browser's camera, one picture at a time, and the list of events.

import { askJson, element, facts, fillModels, formOf, sendJson } from "./api.js";
import { decode, paintHeat } from "./maps.js";

const part = (name) => document.getElementById(name);
const LARGEST = 1280, POLL = 2000, QUIET = 3000, MOST = 200;
const video = part("video"), overlay = part("overlay");
const state = { stream: null, threshold: 0.5, newest: 0, told: 0 };
const model = () => facts.models.find((one) => one.name === part("model").value) ?? facts.models[0];

async function start() {
  if (!navigator.mediaDevices) {
    part("camera-text").textContent = "Browsers give a camera only to pages on this machine or over https.";
    return;
  }
  try {
    state.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: LARGEST } } });
  } catch (error) {
    part("camera-text").textContent = `No camera: ${error.message}`;
    return;
  }
  video.srcObject = state.stream;
  await video.play();
  part("camera").textContent = "Stop the camera";
  watch();
}

function stop() {
  for (const track of state.stream.getTracks()) track.stop();
  state.stream = null;
  video.srcObject = null;
  overlay.getContext("2d").clearRect(0, 0, overlay.width, overlay.height);
  part("camera").textContent = "Start the camera";
  part("camera-score").textContent = "";
}

// One picture after the other: the next is taken when the last is answered, so that none waits.
async function watch() {
  while (state.stream) {
    const begun = performance.now();
    try {
      const found = await look();
      if (!state.stream) return;
      await show(found, performance.now() - begun);
    } catch (error) {
      part("camera-text").textContent = error.message;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function look() {
  const scale = Math.min(1, LARGEST / Math.max(video.videoWidth, video.videoHeight));
  const canvas = new OffscreenCanvas(Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const picture = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
  const name = `camera ${new Date().toLocaleTimeString()}`;
  const query = new URLSearchParams({ model: model().name, map: "png", threshold: state.threshold });
  return (await askJson(`/v1/predict?${query}`, { method: "POST", body: formOf([picture], [name]) })).predictions[0];
}

const said = ({ score, is_familiar, is_anomalous }) => `${score.toFixed(3)} ${is_familiar === false ? "unfamiliar" : (is_anomalous ? "anomalous" : "normal")}`;

async function show(found, milliseconds) {
  part("camera-score").textContent = said(found);
  part("camera-text").textContent = `${(1000 / milliseconds).toFixed(1)} pictures per second`;
  if (part("show-map").checked) paintHeat(overlay, await decode(found.map), found.pixel_threshold);
  else overlay.width = overlay.width + 0;
  if (found.is_anomalous && performance.now() - state.told > QUIET) {
    state.told = performance.now();
    await sendJson("/v1/events", "POST", { model: model().name, prediction: { ...found, map: null, preview: null } });
    await poll();
  }
}

async function poll() {
  const { events } = await askJson(`/v1/events?after=${state.newest}`);
  const list = part("events");
  for (const event of events.toReversed()) {
    if (event.id <= state.newest) continue;
    state.newest = event.id;
    list.prepend(line(event));
  }
  while (list.children.length > MOST) list.lastChild.remove();
  part("no-events").hidden = list.children.length > 0;
}

function line({ id, at, origin, source, values }) {
  const made = element("li"), words = element("div");
  if (origin === "watch" && values.error === undefined) {
    const picture = new Image();
    picture.src = `/v1/events/${id}/preview`;
    picture.alt = "";
    picture.loading = "lazy";
    made.append(picture);
  }
  const time = element("time", "soft", new Date(1000 * at).toLocaleString());
  time.dateTime = new Date(1000 * at).toISOString();
  words.append(element("b", "", source), document.createElement("br"), time);
  made.append(words);
  if (values.error !== undefined) made.append(element("span", "soft", values.error));
  else made.append(element("span", `verdict ${values.is_familiar === false ? "" : (values.is_anomalous ? "bad" : "good")}`, said(values)));
  return made;
}

function setThreshold(value) {
  state.threshold = value;
  part("threshold").value = value;
  part("threshold-text").textContent = value.toFixed(3);
}

fillModels(part("model"), facts.models);
setThreshold(model().card.thresholds.image);
part("model").addEventListener("change", () => setThreshold(model().card.thresholds.image));
part("threshold").addEventListener("input", (event) => setThreshold(Number(event.target.value)));
part("camera").addEventListener("click", () => (state.stream ? stop() : start()));
(async () => {
  for (;;) {
    await poll().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
})();
