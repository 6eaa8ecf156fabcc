// What a tab shows, kept in this browser for as long as the tab is open, so that a reload loses nothing.
// Where the browser keeps nothing (a private window, a full disk) the page works all the same.

const KEY = "zerosight.tab", DAY = 24 * 3600 * 1000;
const tab = read(KEY) ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
write(KEY, tab);
navigator.locks?.request(`${KEY}.${tab}`, { mode: "shared" }, () => new Promise(() => {}));  // held until the tab is gone

export function read(name) {
  try { return sessionStorage.getItem(name); } catch { return null; }
}

export function write(name, value) {
  try { sessionStorage.setItem(name, value); } catch { /* not kept */ }
}

const settled = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

const base = new Promise((resolve, reject) => {
  const opening = indexedDB.open("zerosight", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("shown", { autoIncrement: true });
  opening.onsuccess = () => resolve(opening.result);
  opening.onerror = () => reject(opening.error);
});

// Run one step on the store; a step that fails is a thing not kept, and no error.
async function step(mode, act) {
  try {
    return await act((await base).transaction("shown", mode).objectStore("shown"));
  } catch {
    return undefined;
  }
}

// Keep one thing; return its number, by which it is kept anew.
export const keep = (thing, number) =>
  step("readwrite", (store) => settled(store.put({ tab, at: Date.now(), thing }, number)));

export const clear = () => sweep((record) => record.tab === tab);

// Return [number, thing] of all that this tab kept, and throw away what tabs left that are gone.
export async function restore() {
  const locks = await navigator.locks?.query().catch(() => undefined);
  const open = locks && new Set(locks.held.map((lock) => lock.name));
  await sweep((record) => record.tab !== tab && (open ? !open.has(`${KEY}.${record.tab}`) : record.at < Date.now() - DAY));
  const found = [];
  await walk("readonly", (cursor) => { if (cursor.value.tab === tab) found.push([cursor.key, cursor.value.thing]); });
  return found;
}

const sweep = (isOver) => walk("readwrite", (cursor) => { if (isOver(cursor.value)) cursor.delete(); });

const walk = (mode, visit) => step(mode, (store) => new Promise((resolve, reject) => {
  const request = store.openCursor();
  request.onerror = () => reject(request.error);
  request.onsuccess = () => {
    if (!request.result) { resolve(); return; }
    visit(request.result);
    request.result.continue();
  };
}));
