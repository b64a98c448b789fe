// Time without what is idle: stretches in which nothing ran are cut to a sliver.

/** @typedef {import("./columns.js").Columns} Columns */

/** Where times are on an axis, and back. Between its points both are proportional. */
export class Warp {
  /** @param {number[]} times rising @param {number[]} places rising, as many */
  constructor(times, places) {
    this.times = times;
    this.places = places;
  }

  /** @param {number} t */
  to(t) { return along(this.times, this.places, t); }

  /** @param {number} p */
  back(p) { return along(this.places, this.times, p); }

  /** The stretches that were cut: where they are. @returns {number[]} */
  cuts() { return this.times.slice(0, -1).flatMap((t, i) => (this.places[i + 1] - this.places[i] < (this.times[i + 1] - t) * 0.99 ? [(this.places[i] + this.places[i + 1]) / 2] : [])); }
}

/** Nothing is cut. */
export const straight = new Warp([0, 1], [0, 1]);

/** @param {number[]} from @param {number[]} to @param {number} x */
function along(from, to, x) {
  let low = 0, high = from.length - 1;
  if (high <= 1 && from[0] === to[0] && from[1] === to[1]) return x;
  if (x >= from[high]) return to[high] + (x - from[high]);
  if (x <= from[0]) return to[0] + (x - from[0]);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle] <= x) low = middle;
    else high = middle;
  }
  const share = from[high] === from[low] ? 0 : (x - from[low]) / (from[high] - from[low]);
  return to[low] + share * (to[high] - to[low]);
}

/** Cuts where no body ran for more than a fiftieth of the whole.
 * @param {Columns} c @param {number} now @returns {Warp} */
export function withoutIdle(c, now) {
  const ran = [];
  let end = 0;
  for (let i = 0; i < c.n; i++) {
    if (Number.isNaN(c.start[i])) continue;
    const to = c.until(i, now);
    ran.push([c.start[i], to]);
    if (to > end) end = to;
  }
  ran.sort((a, b) => a[0] - b[0]);
  const least = end / 50, sliver = end / 200;
  const times = [0], places = [0];
  let busy = 0, at = 0; // until when something ran, and where the axis is by then
  for (const [from, to] of ran) {
    if (from - busy > least) {
      at += busy - times[times.length - 1];
      times.push(busy);
      places.push(at);
      at += sliver;
      times.push(from);
      places.push(at);
    }
    if (to > busy) busy = to;
  }
  if (times.length === 1) return straight;
  times.push(Math.max(end, times[times.length - 1] + 1));
  places.push(at + times[times.length - 1] - times[times.length - 2]);
  return new Warp(times, places);
}
