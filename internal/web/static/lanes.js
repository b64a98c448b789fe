// Which row of a timeline each task run is on, and where time is on it.

import { rankOf } from "./columns.js";

/** @typedef {import("./columns.js").Columns} Columns */

/** How rows are made: each task run has its own; those of a name have as few as it takes;
 * so have those of a worker; all have. @typedef {"task"|"name"|"worker"|"place"} Lanes */
/** @typedef {"start"|"duration"|"name"} Sort */
/** @typedef {{name: string, first: number, rows: number, n: number}} Band */

/** The rows of a timeline. bars lists the task runs by row, and within it by time;
 * those of row r are from at[r] to at[r + 1].
 * @typedef {{rows: number, row: Int32Array, bars: Int32Array, at: Int32Array, bands: Band[], packed: boolean}} Layout */

/** @param {Columns} c @param {Lanes} lanes @param {Sort} sort @param {boolean} problems only those
 * @param {number} now @returns {Layout} */
export function layout(c, lanes, sort, problems, now) {
  const list = chosen(c, problems);
  if (lanes === "task") return single(c, list, sort, now);
  const groups = lanes === "name" ? grouped(c, list, c.names, c.name) : lanes === "worker" ? grouped(c, list.filter((i) => !Number.isNaN(c.start[i])), c.workers, c.worker) : [{ name: "", list }];
  const row = new Int32Array(c.n).fill(-1);
  /** @type {Band[]} */ const bands = [];
  let rows = 0;
  for (const g of groups) {
    const used = pack(c, g.list, row, rows, now);
    if (lanes !== "place") bands.push({ name: g.name || "not known", first: rows, rows: used, n: g.list.length });
    rows += used;
  }
  return { rows, row, ...listed(c, list, row, rows, now), bands, packed: true };
}

/** @param {Columns} c @param {boolean} problems */
function chosen(c, problems) {
  const list = [];
  const kept = c.states.map((s) => !problems || rankOf(s) > 5 || rankOf(s) === 1);
  for (let i = 0; i < c.n; i++) if (kept[c.state[i]]) list.push(i);
  return list;
}

/** @param {Columns} c @param {number[]} list @param {Sort} sort @param {number} now @returns {Layout} */
function single(c, list, sort, now) {
  const begin = new Float64Array(c.n), key = new Float64Array(c.n);
  for (const i of list) {
    begin[i] = c.since(i, now);
    const from = Number.isNaN(c.start[i]) ? begin[i] : c.start[i];
    key[i] = sort === "duration" ? from - c.until(i, now) : Number.isNaN(c.start[i]) ? Infinity : c.start[i];
  }
  const names = order(c.names);
  list.sort((a, b) => (sort === "name" ? names[c.name[a]] - names[c.name[b]] : 0) || compare(key[a], key[b]) || begin[a] - begin[b] || c.seq[a] - c.seq[b]);
  const row = new Int32Array(c.n).fill(-1), at = new Int32Array(list.length + 1);
  list.forEach((i, r) => { row[i] = r; at[r + 1] = r + 1; });
  return { rows: list.length, row, bars: Int32Array.from(list), at, bands: [], packed: false };
}

/** @param {number} a @param {number} b which may both be infinite */
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/** The place of each name in the alphabet. @param {string[]} names */
function order(names) {
  const sorted = [...names].sort();
  return names.map((n) => sorted.indexOf(n));
}

/** By name, or by worker, those first that began first. @param {Columns} c @param {number[]} list
 * @param {string[]} names @param {Uint16Array} of */
function grouped(c, list, names, of) {
  /** @type {number[][]} */ const lists = names.map(() => []);
  for (const i of list) lists[of[i]].push(i);
  const first = lists.map((l) => l.reduce((least, i) => Math.min(least, Number.isNaN(c.start[i]) ? Infinity : c.start[i]), Infinity));
  return names.map((name, k) => ({ name, list: lists[k], first: first[k] })).filter((g) => g.list.length > 0).sort((a, b) => compare(a.first, b.first));
}

/** Gives those that ran rows on which none overlap, each the lowest that is free. Those
 * that have not begun get none. @param {Columns} c @param {number[]} list @param {Int32Array} row
 * @param {number} base @param {number} now @returns {number} how many rows */
function pack(c, list, row, base, now) {
  const ran = list.filter((i) => !Number.isNaN(c.start[i])).sort((a, b) => c.start[a] - c.start[b] || c.seq[a] - c.seq[b]);
  const busy = new Heap(), free = new Heap();
  let used = 0;
  for (const i of ran) {
    while (busy.size > 0 && busy.least <= c.start[i]) { const r = busy.pop(); free.push(r, r); }
    const r = free.size > 0 ? free.pop() : used++;
    row[i] = base + r;
    busy.push(Math.max(c.until(i, now), c.start[i] + 0.001), r);
  }
  return used;
}

/** The task runs by row. @param {Columns} c @param {number[]} list @param {Int32Array} row @param {number} rows @param {number} now */
function listed(c, list, row, rows, now) {
  const at = new Int32Array(rows + 1);
  const shown = list.filter((i) => row[i] >= 0).sort((a, b) => c.since(a, now) - c.since(b, now) || c.seq[a] - c.seq[b]);
  for (const i of shown) at[row[i] + 1]++;
  for (let r = 0; r < rows; r++) at[r + 1] += at[r];
  const bars = new Int32Array(shown.length), next = at.slice();
  for (const i of shown) bars[next[row[i]]++] = i;
  return { bars, at };
}

/** Values by a key, the least first. */
class Heap {
  /** @type {number[]} */ #keys = [];
  /** @type {number[]} */ #values = [];
  get size() { return this.#keys.length; }
  get least() { return this.#keys[0]; }

  /** @param {number} key @param {number} value */
  push(key, value) {
    const k = this.#keys, v = this.#values;
    let i = k.length;
    k.push(key);
    v.push(value);
    for (let up = (i - 1) >> 1; i > 0 && k[up] > key; i = up, up = (i - 1) >> 1) { k[i] = k[up]; v[i] = v[up]; k[up] = key; v[up] = value; }
  }

  /** Takes the least. @returns {number} its value */
  pop() {
    const k = this.#keys, v = this.#values, value = v[0];
    const key = /** @type {number} */ (k.pop()), last = /** @type {number} */ (v.pop());
    if (k.length === 0) return value;
    let i = 0;
    for (let down = 1; down < k.length; down = 2 * i + 1) {
      if (down + 1 < k.length && k[down + 1] < k[down]) down++;
      if (k[down] >= key) break;
      k[i] = k[down];
      v[i] = v[down];
      i = down;
    }
    k[i] = key;
    v[i] = last;
    return value;
  }
}

/** Where each task run is on the axis: from, when its body began, and to. Aligned, each
 * begins at 0; else times are as the warp has them.
 * @typedef {{from: Float64Array, begin: Float64Array, to: Float64Array, end: number}} Spread */

/** @param {Columns} c @param {boolean} aligned @param {import("./warp.js").Warp} warp @param {number} now @returns {Spread} */
export function spread(c, aligned, warp, now) {
  const from = new Float64Array(c.n), begin = new Float64Array(c.n), to = new Float64Array(c.n);
  let end = 0;
  for (let i = 0; i < c.n; i++) {
    const a = c.since(i, now), z = Math.max(c.until(i, now), a), b = Number.isNaN(c.start[i]) ? z : c.start[i];
    // Aligned by when bodies began: what is compared is how long they run.
    if (aligned) { from[i] = 0; begin[i] = 0; to[i] = z - b; } else { from[i] = warp.to(a); begin[i] = warp.to(b); to[i] = warp.to(z); }
    if (to[i] > end) end = to[i];
  }
  return { from, begin, to, end };
}
