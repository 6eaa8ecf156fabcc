// Counts and rates of scored and marked images.

// Upper end of the 95 % interval of a share (Wilson's).
export function upper(part, whole) {
  if (!whole) return 1;
  const z = 1.96, share = part / whole;
  const centre = share + (z * z) / (2 * whole), spread = z * Math.sqrt((share * (1 - share) + (z * z) / (4 * whole)) / whole);
  return Math.min(1, (centre + spread) / (1 + (z * z) / whole));
}

// Return how marks and threshold agree: { fine: [normal, anomalous], defect: [normal, anomalous] }.
export function confusion(marked, threshold) {
  const table = { fine: [0, 0], defect: [0, 0] };
  for (const { mark, score } of marked) table[mark][Number(score >= threshold)]++;
  return table;
}

export function bins(scores, count = 40) {
  const heights = new Array(count).fill(0);
  for (const score of scores) heights[Math.min(count - 1, Math.floor(score * count))]++;
  return heights;
}

const cell = (value) => {
  const text = String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;  // no formula in a table
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const csv = (rows) => rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
