// The task runs of a run in columns, as the API sends them, and what is new put into
// them.

import { bad, open, stateOf } from "./looks.js";

/** @typedef {import("../js/api").Timeline} Timeline */

/** How early a delta begins before what was read last: what ended may become known a
 * little later than it ended, in milliseconds. */
const slack = 5000;

/** A place for each task run, with room to grow. */
export class Columns {
  n = 0;
  t0 = 0;
  now = 0; // of the server, when it was read last
  read = 0; // and of this machine
  ended = false; // the run
  more = false;
  generation = -1;
  /** @type {import("../js/api").TimelineLimit[]} */ limits = [];
  /** @type {string[]} */ names = [];
  /** @type {string[]} */ states = []; // as looks.js names them
  /** @type {string[]} */ kinds = [];
  /** @type {string[]} */ workers = [];
  seq = new Float64Array(0);
  name = new Uint16Array(0);
  state = new Uint8Array(0);
  waits = new Uint8Array(0);
  worker = new Uint16Array(0);
  attempt = new Uint16Array(0);
  created = new Float64Array(0); // NaN: not known
  start = new Float64Array(0);
  end = new Float64Array(0);
  /** The states between start and end of those with several attempts, by place.
   * @type {Map<number, {at: number, state: string}[]>} */
  turns = new Map();
  /** @type {Map<number, number>} */ #places = new Map();

  /** Forgets everything. */
  clear() {
    this.n = 0;
    this.#places.clear();
    this.turns.clear();
    this.generation = -1;
  }

  /** What is asked for to learn what is new. @returns {{from?: number, since?: number}} */
  news() {
    if (this.n === 0 || this.more) return {};
    let from = 0;
    for (; from < this.n; from++) {
      const i = this.#places.get(from);
      if (i === undefined || Number.isNaN(this.end[i])) break;
    }
    return { from, since: Math.max(Math.floor(this.now) - slack, 0) };
  }

  /** Puts what was read into the columns. False if all has to be read again, since the
   * run has been retried. @param {Timeline} l @param {boolean} delta @param {number} clock */
  put(l, delta, clock) {
    if (delta && l.generation !== this.generation) { this.clear(); return false; }
    if (!delta) { this.clear(); this.limits = l.limits ?? []; }
    Object.assign(this, { t0: l.t0, now: l.now, read: clock, generation: l.generation, more: l.more });
    this.ended = ["COMPLETED", "FAILED", "CANCELLED", "CRASHED", "SKIPPED"].includes(l.state);
    const names = l.names.map((n) => place(this.names, n)), states = l.states.map((s) => place(this.states, stateOf(s)));
    const kinds = l.kinds.map((k) => place(this.kinds, k)), workers = l.workers.map((w) => place(this.workers, w));
    this.#grow(this.n + l.seq.length);
    for (let k = 0; k < l.seq.length; k++) {
      const seq = l.seq[k];
      let i = this.#places.get(seq);
      if (i === undefined) {
        i = this.n++;
        this.#places.set(seq, i);
        this.created[i] = NaN;
      }
      this.seq[i] = seq;
      this.name[i] = names[l.name[k]];
      this.state[i] = states[l.state_of[k]];
      this.waits[i] = kinds[l.waits[k]];
      this.worker[i] = workers[l.worker[k]];
      this.attempt[i] = l.attempt[k];
      this.start[i] = l.start[k] < 0 ? NaN : l.start[k];
      this.end[i] = l.end[k] < 0 ? NaN : l.end[k];
      // A delta knows less of what came before: what is known stays.
      if (l.created[k] >= 0 && !(this.created[i] <= l.created[k])) this.created[i] = l.created[k];
    }
    this.#turn(l);
    return true;
  }

  /** @param {Timeline} l */
  #turn(l) {
    /** @type {Set<number>} */ const anew = new Set();
    for (let k = 0; k < l.turn_seq.length; k++) {
      const i = this.#places.get(l.turn_seq[k]);
      if (i === undefined) continue;
      if (!anew.has(i)) { anew.add(i); this.turns.set(i, []); }
      this.turns.get(i)?.push({ at: l.turn_at[k], state: stateOf(l.states[l.turn_state[k]]) });
    }
  }

  /** @param {number} n */
  #grow(n) {
    if (n <= this.seq.length) return;
    const room = Math.max(n, Math.ceil(this.seq.length * 1.5));
    /** @template {Float64Array|Uint16Array|Uint8Array} T @param {T} old @param {T} now @returns {T} */
    const into = (old, now) => { now.set(old); return now; };
    for (const key of /** @type {const} */ (["seq", "created", "start", "end"])) this[key] = into(this[key], new Float64Array(room));
    for (const key of /** @type {const} */ (["name", "attempt", "worker"])) this[key] = into(this[key], new Uint16Array(room));
    for (const key of /** @type {const} */ (["state", "waits"])) this[key] = into(this[key], new Uint8Array(room));
  }

  /** When something is over, so far. @param {number} i @param {number} now */
  until(i, now) {
    const end = this.end[i];
    if (!Number.isNaN(end)) return end;
    return this.ended ? Math.max(this.start[i] || 0, this.created[i] || 0) : now;
  }

  /** Since when it is there. @param {number} i @param {number} now */
  since(i, now) {
    const created = this.created[i], start = this.start[i];
    if (!Number.isNaN(created)) return Number.isNaN(start) ? created : Math.min(created, start);
    return Number.isNaN(start) ? (Number.isNaN(this.end[i]) ? now : this.end[i]) : start;
  }

  /** The place of a task run. @param {number} seq */
  find(seq) { return this.#places.get(seq); }

  /** How many there are in each state. @returns {Map<string, number>} */
  counts() {
    const sums = new Array(this.states.length).fill(0);
    for (let i = 0; i < this.n; i++) sums[this.state[i]]++;
    return new Map(this.states.map((s, k) => /** @type {[string, number]} */ ([s, sums[k]])).filter(([, k]) => k > 0));
  }
}

/** Ranks of what wins a pixel, the higher the stronger; 0 is nothing. */
export const rank = { waiting: 1, skipped: 2, cancelled: 3, cached: 4, completed: 5, scheduled: 6, paused: 7, retrying: 8, running: 9, cancelling: 10, crashed: 11, failed: 12 };

/** The rank of a state. @param {string} state */
export function rankOf(state) {
  const known = /** @type {Record<string, number>} */ (rank)[state];
  if (known !== undefined) return known;
  return bad(state) ? rank.failed : open(state) ? rank.waiting : rank.completed;
}

/** @param {string[]} list @param {string} name */
function place(list, name) {
  const i = list.indexOf(name);
  return i >= 0 ? i : list.push(name) - 1;
}
