// The gallery's cards, and the histogram of their scores.

import { element } from "./api.js";
import { bins } from "./statistics.js";

// Return the card of an image, which opens it.
export function makeCard(item, open) {
  const line = element("li"), card = element("button", "item"), pair = element("span", "pair");
  card.type = "button";
  item.thumbs.forEach((url, i) => {
    const picture = new Image();
    picture.src = url;
    picture.alt = i ? "map over the photo" : "";
    picture.loading = "lazy";
    pair.append(picture);
  });
  const row = element("span", "row");
  item.parts = { value: element("span", "value"), verdict: element("span", "verdict"), meter: element("span", "meter"), badge: element("span", "badge") };
  item.parts.meter.setAttribute("aria-hidden", "true");
  item.parts.meter.append(element("i"), element("u"));
  row.append(item.parts.value, item.parts.verdict, item.parts.badge);
  card.append(pair, element("span", "name", item.name), row, item.parts.meter);
  card.addEventListener("click", () => open(item));
  line.append(card);
  item.button = card;
  return line;
}

// Say what an image was found to be; one unlike all that the model was made from is neither.
export function judge(verdict, familiar, anomalous) {
  const known = familiar !== false;
  verdict.textContent = known ? (anomalous ? "Anomalous" : "Normal") : "Unfamiliar";
  verdict.title = known ? "" : "unlike the images that this model was made from";
  verdict.className = `verdict ${known ? (anomalous ? "bad" : "good") : ""}`;
}

// Show on a card what the threshold and a mark have made of it.
export function dress(item, anomalous, threshold) {
  const { value, verdict, meter, badge } = item.parts;
  value.textContent = item.score.toFixed(3);
  judge(verdict, item.familiar, anomalous);
  meter.className = `meter ${anomalous ? "bad" : ""}`;
  meter.style.setProperty("--score", item.score);
  meter.style.setProperty("--limit", threshold);
  badge.hidden = !item.mark;
  badge.textContent = item.mark ?? "";
  badge.className = `badge ${item.mark ?? ""}`;
}

export function plot(scores, threshold) {
  const heights = bins(scores), tallest = Math.max(1, ...heights);
  const bars = heights.map((count, i) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = count ? Math.max(2.5, (100 * count) / tallest) : 0;
    for (const [name, value] of Object.entries({ x: i + 0.08, y: 100 - height, width: 0.84, height })) bar.setAttribute(name, value);
    bar.setAttribute("class", (i + 0.5) / heights.length >= threshold ? "bad" : "good");
    return bar;
  });
  const picture = document.getElementById("plot");
  picture.replaceChildren(...bars);
  picture.setAttribute("aria-label", `Histogram of ${scores.length} scores from 0 to 1`);
  document.getElementById("plot-mark").style.left = `${100 * threshold}%`;
}
