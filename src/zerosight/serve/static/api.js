// Talking to the server: it may be busy (429), away, or want a token; images wait, they are not lost.

export const facts = JSON.parse(document.getElementById("facts")?.textContent ?? "{}");
const banner = document.getElementById("away");
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

export class Refused extends Error {
  constructor(status, message, failures) {
    super(message);
    this.status = status;
    this.failures = failures ?? [];
  }
}

// Return the server's answer; wait where it is full, and where it is away for as long as `patience` seconds.
export async function ask(path, options = {}, patience = 120) {
  const until = Date.now() + 1000 * patience;
  for (let tries = 0; ; tries++) {
    let reply;
    try {
      reply = await fetch(path, { credentials: "same-origin", ...options });
    } catch (error) {
      if (error.name === "AbortError" || Date.now() > until) throw error;
      banner.hidden = false;
      await pause(Math.min(5, 0.5 * 2 ** tries));
      continue;
    }
    banner.hidden = true;
    if (reply.ok) return reply;
    if (reply.status === 401) location.assign("/login");
    if ((reply.status === 429 || reply.status === 503) && Date.now() < until) {
      await pause(Number(reply.headers.get("Retry-After")) || 1);
      continue;
    }
    let values = {};
    try { values = await reply.json(); } catch { /* not ours: a proxy's page */ }
    throw new Refused(reply.status, values.error ?? `the server answered ${reply.status}`, values.failures);
  }
}

export const askJson = async (path, options, patience) => (await ask(path, options, patience)).json();

export const sendJson = (path, method, values) =>
  ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(values) });

export function formOf(files, names) {
  const form = new FormData();
  files.forEach((file, i) => form.append("images", file, names?.[i] ?? file.name));
  return form;
}

export function fillModels(select, models, chosen) {
  select.replaceChildren(...models.map((model) => new Option(model.learnt ? `${model.name} (learnt)` : model.name, model.name, false, model.name === chosen)));
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function save(name, content, type) {
  const link = element("a");
  link.href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
export const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)} %` : "–");
export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
