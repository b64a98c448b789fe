// Puts bars into pixels. There may be a hundred thousand of them on a few hundred rows of
// pixels: each cell shows the strongest of what falls into it.

/** @typedef {{w: number, h: number, cells: Uint8Array}} Grid */

/** A bar: its row of the grid, and from which cell to which, both of them inside.
 * @typedef {(paint: (y: number, x0: number, x1: number, rank: number) => void) => void} Bars */

const long = 24; // cells, from which on a bar is kept as where it begins and ends

/** Paints bars into a grid. Long ones cost as much as short ones: of each rank and row it
 * is counted where they begin and end. */
export class Binner {
  /** @type {Uint8Array} */ #cells = new Uint8Array(0);
  /** @type {Map<number, Int32Array>} */ #steps = new Map();

  /** @param {number} w @param {number} h @param {Bars} bars @returns {Grid} which is good until the next one is made */
  paint(w, h, bars) {
    const size = w * h;
    if (this.#cells.length !== size) { this.#cells = new Uint8Array(size); this.#steps.clear(); } else this.#cells.fill(0);
    const cells = this.#cells, width = w + 1;
    /** @type {Set<number>} */ const used = new Set();
    bars((y, x0, x1, rank) => {
      if (x1 < 0 || x0 >= w || y < 0 || y >= h) return;
      if (x0 < 0) x0 = 0;
      if (x1 >= w) x1 = w - 1;
      if (x1 - x0 < long) {
        for (let at = y * w + x0, end = y * w + x1; at <= end; at++) if (cells[at] < rank) cells[at] = rank;
        return;
      }
      let steps = this.#steps.get(rank);
      if (steps === undefined || steps.length !== width * h) this.#steps.set(rank, (steps = new Int32Array(width * h)));
      else if (!used.has(rank)) steps.fill(0);
      used.add(rank);
      steps[y * width + x0]++;
      steps[y * width + x1 + 1]--;
    });
    for (const rank of used) {
      const steps = /** @type {Int32Array} */ (this.#steps.get(rank));
      for (let y = 0; y < h; y++) {
        let n = 0;
        for (let x = 0, from = y * width, to = y * w; x < w; x++, from++, to++) {
          n += steps[from];
          if (n > 0 && cells[to] < rank) cells[to] = rank;
        }
      }
    }
    return { w, h, cells };
  }
}

/** How many of some intervals are there, from each time on at which that changes.
 * @typedef {{at: Float64Array, there: Int32Array, most: number}} Steps */

/** @param {number} n @param {(i: number) => [number, number]|undefined} interval @returns {Steps} */
export function overlaps(n, interval) {
  const begin = new Float64Array(n), end = new Float64Array(n);
  let k = 0;
  for (let i = 0; i < n; i++) {
    const both = interval(i);
    if (both === undefined) continue;
    begin[k] = both[0];
    end[k++] = Math.max(both[1], both[0] + 0.001); // what took no time was there all the same
  }
  const begins = begin.subarray(0, k).sort(), ends = end.subarray(0, k).sort();
  const at = new Float64Array(2 * k), there = new Int32Array(2 * k);
  let b = 0, e = 0, most = 0;
  for (let i = 0; i < 2 * k; i++) {
    if (b < k && begins[b] < ends[e]) at[i] = begins[b++]; // who goes at a time makes room for who comes then
    else at[i] = ends[e++];
    there[i] = b - e;
    if (b - e > most) most = b - e;
  }
  return { at, there, most };
}

/** The most that were there at once in each of n places between from and to.
 * @param {Steps} steps @param {number} from @param {number} to @param {number} n */
export function profile(steps, from, to, n) {
  const out = new Int32Array(n), k = n / (to - from || 1), { at, there } = steps;
  let now = 0, x = 0;
  for (let i = 0; i < at.length; i++) {
    const exact = (at[i] - from) * k, px = Math.floor(exact);
    if (px >= n) break;
    for (; x < px || (x === px && exact > px); x++) out[x] = now; // as before until here
    now = there[i];
    if (px >= 0) { if (out[px] < now) out[px] = now; x = px + 1; }
  }
  for (; x < n; x++) out[x] = now;
  return out;
}
