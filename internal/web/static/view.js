// Which part of a picture is seen, and how large: x and y of the picture are at
// (x - view.x) * view.k of the window.

/** @typedef {{x: number, y: number, k: number}} View */
/** @typedef {{w: number, h: number}} Size */

const least = 0.05, most = 4;

/** The whole picture, no larger than it is, and in the middle if it is wider or higher
 * than long. @param {Size} picture @param {Size} window @returns {View} */
export function fit(picture, window) {
  const k = Math.max(least, Math.min(1, window.w / picture.w, window.h / picture.h));
  return centred(picture, window, k);
}

/** @param {Size} picture @param {Size} window @param {number} k @returns {View} */
function centred(picture, window, k) {
  return { x: Math.min(0, (picture.w - window.w / k) / 2), y: Math.min(0, (picture.h - window.h / k) / 2), k };
}

/** What is shown at first: the whole if that can be read, else its beginning.
 * @param {Size} picture @param {Size} window @returns {View} */
export function first(picture, window) {
  const whole = fit(picture, window);
  return whole.k >= 0.6 ? whole : centred(picture, window, 0.85);
}

/** Larger or smaller, where a point of the window stays what it is.
 * @param {View} v @param {number} px @param {number} py @param {number} factor @returns {View} */
export function zoom(v, px, py, factor) {
  const k = Math.max(least, Math.min(most, v.k * factor));
  return { x: v.x + px / v.k - px / k, y: v.y + py / v.k - py / k, k };
}

/** @param {View} v @param {number} dx @param {number} dy in the window @returns {View} */
export const pan = (v, dx, dy) => ({ x: v.x - dx / v.k, y: v.y - dy / v.k, k: v.k });

/** Keeps some of the picture in the window. @param {View} v @param {Size} picture @param {Size} window @returns {View} */
export function clamp(v, picture, window) {
  const ww = window.w / v.k, wh = window.h / v.k, some = 60 / v.k;
  const within = (/** @type {number} */ at, /** @type {number} */ size, /** @type {number} */ seen) => Math.max(some - seen, Math.min(size - some, at));
  return { x: within(v.x, picture.w, ww), y: within(v.y, picture.h, wh), k: v.k };
}

/** Shows a place that is not seen, moving as little as it can.
 * @param {View} v @param {Size} window @param {{x: number, y: number, w: number, h: number}} box @returns {View} */
export function show(v, window, box) {
  const ww = window.w / v.k, wh = window.h / v.k, room = 24 / v.k;
  const into = (/** @type {number} */ at, /** @type {number} */ seen, /** @type {number} */ from, /** @type {number} */ size) =>
    from - room < at ? from - room : from + size + room > at + seen ? Math.min(from + size + room - seen, from - room) : at;
  return { x: into(v.x, ww, box.x, box.w), y: into(v.y, wh, box.y, box.h), k: v.k };
}
