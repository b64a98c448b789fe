// Numbers and times as people read them, and where the ticks of an axis are.

/** How long something took. @param {number} ms @returns {string} */
export function span(ms) {
  if (ms < 0) return `−${span(-ms)}`;
  if (ms > 0 && ms < 1) return `${Math.max(Math.round(ms * 1000), 1)} µs`;
  if (ms < 1000) return `${Number(ms.toFixed(ms < 10 ? 1 : 0))} ms`;
  const sec = ms / 1000;
  if (sec < 60) return `${Number(sec.toFixed(sec < 10 ? 1 : 0))} s`;
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, "0");
  if (sec < 3600) return `${Math.floor(sec / 60)}m ${two(sec % 60)}s`;
  if (sec < 172_800) return `${Math.floor(sec / 3600)}h ${two((sec % 3600) / 60)}m`;
  return `${Math.floor(sec / 86_400)}d ${two((sec % 86_400) / 3600)}h`;
}

/** A count, in groups of three digits. @param {number} n */
export const count = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
  3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000];

/** The ticks of an axis from one time to another, in milliseconds, about so many.
 * @param {number} from @param {number} to @param {number} about
 * @returns {{step: number, at: number[]}} */
export function ticks(from, to, about) {
  const want = (to - from) / Math.max(about, 1);
  let step = steps.find((s) => s >= want) ?? 604_800_000;
  while (step < want) step *= 2;
  const at = [];
  for (let k = Math.ceil(from / step); k * step <= to && at.length < 200; k++) at.push(k * step);
  return { step, at };
}

/** A time on an axis whose ticks are a step apart. @param {number} ms @param {number} step */
export function tickText(ms, step) {
  if (ms === 0) return "0";
  if (step < 1 && ms < 1000) return `${Number(ms.toFixed(3))} ms`;
  if (step < 1000 && ms < 60_000) return ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toFixed(3))} s`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  const two = (/** @type {number} */ n) => String(Math.floor(n)).padStart(2, "0");
  const sec = ms / 1000, h = Math.floor(sec / 3600), m = Math.floor((sec % 3600) / 60);
  const tail = step < 1000 ? (sec % 60).toFixed(3).padStart(6, "0") : two(sec % 60);
  if (step >= 86_400_000) return `${Math.floor(sec / 86_400)}d`;
  return h > 0 ? `${h}:${two(m)}:${tail}` : `${m}:${tail}`;
}
