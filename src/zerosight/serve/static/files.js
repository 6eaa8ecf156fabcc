// Files that were chosen or dropped, folders included.

const HIDDEN = /(^|\/)\./;
const IMAGE = /\.(png|jpe?g|gif|bmp|tiff?|webp|p[gnp]m|jp2|j2k|dcm|dicom)$/i;

async function readEntry(entry, into) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    into.push({ file, name: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) await readEntry(one, into);
  }
}

// Return [{file, name}] of a drop; names of files in folders have the folder before them.
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  if (!entries.length) return chosen(transfer.files);
  for (const entry of entries) await readEntry(entry, found);
  return sift(found);
}

export const chosen = (list) => sift([...list].map((file) => ({ file, name: file.webkitRelativePath || file.name })));

// Of many files, leave out what is hidden or clearly no image; a single one is taken as it is.
function sift(found) {
  if (found.length === 1) return found;
  const kept = found.filter(({ file, name }) => !HIDDEN.test(name) && (IMAGE.test(name) || file.type.startsWith("image/") || (!file.type && !name.includes("."))));
  return Object.assign(kept, { leftOut: found.length - kept.length });
}

export function onDrop(zone, take) {
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) document.addEventListener(kind, () => zone.classList.remove("over"));
  document.addEventListener("drop", async (event) => {
    event.preventDefault();
    take(await dropped(event.dataTransfer));
  });
}

// Pictures that a browser shows by itself; of the others the server sends one.
export const isNative = (file) => /^image\/(png|jpe?g|gif|bmp|webp)$/.test(file.type);
