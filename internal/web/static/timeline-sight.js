// What of a timeline is seen, and which bar is where.

/** @typedef {import("./timeline-draw.js").View} View */
/** @typedef {import("./timeline-draw.js").Model} Model */

/** All of it. @param {number} end @param {number} rows @returns {View} */
export const whole = (end, rows) => ({ u0: 0, u1: Math.max(end * 1.015, 1), r0: 0, r1: Math.max(rows, 1) });

/** Keeps to what there is. @param {View} v @param {number} end @param {number} rows @returns {View} */
export function within(v, end, rows) {
  const all = whole(end, rows);
  const fit = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ most, /** @type {number} */ least) => {
    const size = Math.min(Math.max(b - a, least), most), from = Math.max(0, Math.min(a, most - size));
    return [from, from + size];
  };
  const [u0, u1] = fit(v.u0, v.u1, all.u1, Math.min(all.u1, 0.02)), [r0, r1] = fit(v.r0, v.r1, all.r1, Math.min(all.r1, 3));
  return { u0, u1, r0, r1 };
}

/** Closer or further, where a time stays where it is. @param {View} v @param {number} u @param {number} factor @returns {View} */
export const zoomTime = (v, u, factor) => ({ ...v, u0: u - (u - v.u0) / factor, u1: u + (v.u1 - u) / factor });

/** @param {View} v @param {number} r @param {number} factor @returns {View} */
export const zoomRows = (v, r, factor) => ({ ...v, r0: r - (r - v.r0) / factor, r1: r + (v.r1 - r) / factor });

/** @param {View} v @param {number} du @param {number} dr @returns {View} */
export const move = (v, du, dr) => ({ u0: v.u0 + du, u1: v.u1 + du, r0: v.r0 + dr, r1: v.r1 + dr });

/** The bar at a time, on one of some rows; of several the strongest, then the nearest.
 * @param {Model} m @param {number} u @param {number} slack how far beside it may be @param {number} from row @param {number} to row, inside
 * @returns {number} -1 for none */
export function hit(m, u, slack, from, to) {
  const { at, bars, packed } = m.layout;
  let best = -1, strength = -1, least = Infinity;
  for (let r = Math.max(from, 0); r <= Math.min(to, m.layout.rows - 1); r++) {
    for (let k = at[r]; k < at[r + 1]; k++) {
      const i = bars[k], a = packed ? m.spread.begin[i] : m.spread.from[i], z = m.spread.to[i];
      if (a > u + slack) break; // they are in order
      const far = u < a ? a - u : u > z ? u - z : 0;
      if (far > slack || m.ranks[i] < strength || (m.ranks[i] === strength && far >= least)) continue;
      best = i;
      strength = m.ranks[i];
      least = far;
    }
  }
  return best;
}

/** Moves so that a bar is seen. @param {View} v @param {Model} m @param {number} i @returns {View} */
export function reveal(v, m, i) {
  const r = m.layout.row[i], u = m.spread.begin[i], rows = v.r1 - v.r0, time = v.u1 - v.u0;
  const r0 = r < v.r0 ? r : r + 1 > v.r1 ? r + 1 - rows : v.r0;
  const u0 = u < v.u0 || u > v.u1 ? u - time / 4 : v.u0;
  return { u0, u1: u0 + time, r0, r1: r0 + rows };
}

/** Where limits are in the chart of how many bodies ran, the nearest to what it has: at
 * most three heights, each with the names of what is limited to it, and what the chart
 * reaches. @param {import("../js/api").TimelineLimit[]} limits @param {number} most that ran at once
 * @returns {{top: number, lines: {at: number, text: string}[]}} */
export function bounds(limits, most) {
  /** @type {Map<number, Set<string>>} */ const names = new Map();
  for (const l of limits) {
    if (l.limit < 1 || l.limit > 2 * most) continue; // so far off that it bounds nothing
    names.set(l.limit, (names.get(l.limit) ?? new Set()).add(l.tag ?? "a group"));
  }
  const heights = [...names.keys()].sort((a, b) => Math.abs(a - most) - Math.abs(b - most)).slice(0, 3).sort((a, b) => b - a);
  return { top: Math.max(most, ...heights), lines: heights.map((at) => ({ at, text: `${[...(names.get(at) ?? [])].slice(0, 3).join(", ")} ≤ ${at}` })) };
}
