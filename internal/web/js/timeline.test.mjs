import assert from "node:assert/strict";
import { test } from "node:test";
import { Binner, overlaps, profile } from "../static/bins.js";
import { Columns, rank, rankOf } from "../static/columns.js";
import { layout, spread } from "../static/lanes.js";
import { bounds, hit, reveal, whole, within, zoomTime } from "../static/timeline-sight.js";
import { straight, withoutIdle } from "../static/warp.js";

/** An answer of the API with a task run for each row: seq, name, state, created, start, end. */
function answer(rows, more = {}) {
  const names = [...new Set(rows.map((r) => r[1]))], states = [...new Set(rows.map((r) => r[2]))];
  const column = (k) => rows.map((r) => r[k]);
  return {
    t0: 0, now: 100, state: "RUNNING", names, states, kinds: [""], generation: 0, more: false, turn_seq: [], turn_at: [], turn_state: [],
    seq: column(0), name: rows.map((r) => names.indexOf(r[1])), state_of: rows.map((r) => states.indexOf(r[2])), created: column(3), start: column(4), end: column(5),
    attempt: rows.map(() => 1), waits: rows.map(() => 0), workers: [""], worker: rows.map(() => 0), ...more,
  };
}

function filled(rows, more) {
  const c = new Columns();
  assert.equal(c.put(answer(rows, more), false, 0), true);
  return c;
}

test("a delta changes what is known and adds what is new", () => {
  const c = filled([[0, "load", "Completed", 0, 0, 10], [1, "load", "Running", 3, 5, -1]]);
  assert.deepEqual(c.news(), { from: 1, since: 0 });
  c.put(answer([[1, "load", "Failed", 5, 5, 40], [2, "report", "Pending", -1, -1, -1]], { now: 9000.25, states: ["Failed", "Pending"] }), true, 0);
  assert.equal(c.n, 3);
  assert.equal(c.states[c.state[1]], "failed");
  assert.equal(c.created[1], 3, "what was known of when it could begin stays");
  assert.equal(c.names[c.name[2]], "report");
  assert.deepEqual(c.news(), { from: 2, since: 4000 });
});

test("a run that was retried is read anew", () => {
  const c = filled([[0, "a", "Failed", 0, 0, 10]]);
  assert.equal(c.put(answer([], { generation: 1 }), true, 0), false);
  assert.deepEqual(c.news(), {});
});

test("a gap in the numbers is asked for again", () => {
  assert.equal(filled([[0, "a", "Completed", 0, 0, 1], [2, "a", "Completed", 0, 0, 1]]).news().from, 1);
});

test("turns are kept by task run", () => {
  const c = filled([[0, "a", "Completed", 0, 0, 9], [1, "a", "Completed", 0, 0, 9]], { turn_seq: [1, 1], turn_at: [2, 4], turn_state: [0, 1], states: ["AwaitingRetry", "Retrying"] });
  assert.deepEqual(c.turns.get(1), [{ at: 2, state: "retrying" }, { at: 4, state: "running" }]);
  assert.equal(c.turns.has(0), false);
});

test("failures win over all others", () => {
  for (const state of ["completed", "running", "cancelled", "crashed", "pending"]) assert.ok(rankOf("failed") > rankOf(state), state);
  assert.equal(rankOf("pending"), rank.waiting);
  assert.equal(rankOf("something new"), rank.completed);
});

test("the strongest bar has the cell, whichever is painted first", () => {
  for (const bars of [[[0, 0, 5, rank.completed], [0, 2, 2, rank.failed]], [[0, 2, 2, rank.failed], [0, 0, 5, rank.completed]]]) {
    const { cells } = new Binner().paint(6, 1, (paint) => bars.forEach((b) => paint(...b)));
    assert.deepEqual([...cells], [5, 5, 12, 5, 5, 5]);
  }
});

test("long bars are painted as short ones are", () => {
  let seed = 7;
  const random = (n) => { seed = (seed * 48271) % 2147483647; return seed % n; };
  const binner = new Binner(), w = 120, h = 5;
  for (let round = 0; round < 50; round++) {
    const bars = Array.from({ length: 30 }, () => { const x = random(150) - 20; return [random(h + 2) - 1, x, x + random(110), 1 + random(12)]; });
    const want = new Uint8Array(w * h);
    for (const [y, x0, x1, r] of bars) if (y >= 0 && y < h) for (let x = Math.max(x0, 0); x <= Math.min(x1, w - 1); x++) want[y * w + x] = Math.max(want[y * w + x], r);
    assert.deepEqual(binner.paint(w, h, (paint) => bars.forEach((b) => paint(...b))).cells, want, `round ${round}`);
  }
});

test("one that ends makes room for one that begins", () => {
  const both = [[0, 10], [10, 20], [5, 15], [30, 30], [40, Infinity]];
  const steps = overlaps(5, (i) => both[i]);
  assert.equal(steps.most, 2);
  assert.deepEqual([...profile(steps, 0, 50, 10)], [1, 2, 2, 1, 0, 0, 1, 0, 1, 1]);
  assert.deepEqual([...profile(steps, 12, 14, 2)], [2, 2], "within, where nothing changes");
});

test("rows by task are in the order that was chosen", () => {
  const c = filled([[0, "b", "Completed", 0, 5, 6], [1, "a", "Completed", 0, 1, 3], [2, "b", "Completed", 0, 2, 12], [3, "a", "Pending", 0, -1, -1]]);
  const order = (sort) => [...layout(c, "task", sort, false, 100).bars].map((i) => c.seq[i]);
  assert.deepEqual(order("start"), [1, 2, 0, 3]);
  assert.deepEqual(order("name"), [1, 3, 2, 0]);
  assert.deepEqual(order("duration"), [3, 2, 1, 0]);
});

test("on rows that are shared none overlap, and there are as few as it takes", () => {
  let seed = 11;
  const random = (n) => { seed = (seed * 48271) % 2147483647; return seed % n; };
  const rows = Array.from({ length: 300 }, (_, i) => { const s = random(1000); return [i, `t${random(3)}`, "Completed", s, s, s + 1 + random(60)]; });
  const c = filled(rows), l = layout(c, "place", "start", false, 2000);
  const most = overlaps(c.n, (i) => [c.start[i], c.end[i]]).most;
  assert.equal(l.rows, most);
  for (let r = 0; r < l.rows; r++) for (let k = l.at[r] + 1; k < l.at[r + 1]; k++) assert.ok(c.start[l.bars[k]] >= c.end[l.bars[k - 1]], `row ${r}`);
  const named = layout(c, "name", "start", false, 2000);
  assert.equal(named.bands.reduce((n, b) => n + b.n, 0), 300);
  for (const b of named.bands) for (let k = named.at[b.first]; k < named.at[b.first + b.rows]; k++) assert.equal(c.names[c.name[named.bars[k]]], b.name);
});

test("rows by worker have what began on each", () => {
  const c = filled([[0, "a", "Completed", 0, 3, 9], [1, "a", "Completed", 0, 1, 5], [2, "b", "Running", 0, 4, -1], [3, "b", "Pending", 0, -1, -1], [4, "b", "Completed", 0, 20, 21]],
    { workers: ["", "far", "near"], worker: [2, 1, 1, 0, 0] });
  const l = layout(c, "worker", "start", false, 100);
  assert.deepEqual(l.bands.map((b) => [b.name, b.n, b.rows]), [["far", 2, 2], ["near", 1, 1], ["not known", 1, 1]]);
  assert.equal(l.row[3], -1, "what has not begun has no worker");
  c.put(answer([[3, "b", "Completed", 0, 30, 31]], { workers: ["near"], worker: [0] }), true, 0);
  assert.deepEqual(layout(c, "worker", "start", false, 100).bands.map((b) => [b.name, b.n]), [["far", 2], ["near", 2], ["not known", 1]]);
});

test("problems only leaves out what went well", () => {
  const c = filled([[0, "a", "Completed", 0, 0, 1], [1, "a", "Failed", 0, 0, 1], [2, "a", "Running", 0, 0, -1], [3, "a", "Cached", 0, 0, 1]]);
  assert.deepEqual([...layout(c, "task", "start", true, 9).bars].map((i) => c.seq[i]), [1, 2]);
});

test("what is idle is cut, and times come back as they were", () => {
  const c = filled([[0, "a", "Completed", 0, 0, 100], [1, "a", "Completed", 0, 5000, 5100], [2, "a", "Completed", 0, 5050, 9000]]);
  const warp = withoutIdle(c, 9000);
  assert.equal(warp.cuts().length, 1);
  assert.ok(warp.to(5000) - warp.to(100) < 100);
  assert.ok(Math.abs(warp.to(9000) - warp.to(5000) - 4000) < 1e-6, "what ran is as long as it was");
  for (const t of [0, 50, 100, 2000, 5000, 7000, 9000, 9500]) assert.ok(Math.abs(warp.back(warp.to(t)) - t) < 1e-6, `${t}`);
  assert.equal(straight.to(1234), 1234);
});

test("aligned, all begin at the left", () => {
  const c = filled([[0, "a", "Completed", 0, 40, 100], [1, "a", "Running", 0, 50, -1]]);
  const s = spread(c, true, straight, 200);
  assert.deepEqual([[...s.begin], [...s.to], s.end], [[0, 0], [60, 150], 150]);
});

test("the bar under the pointer", () => {
  const c = filled([[0, "a", "Completed", 0, 0, 50], [1, "a", "Failed", 60, 60, 61], [2, "a", "Completed", 62, 62, 90]]);
  const l = layout(c, "place", "start", false, 100), ranks = Uint8Array.from([...c.state].slice(0, 3).map((s) => rankOf(c.states[s])));
  const m = { layout: l, spread: spread(c, false, straight, 100), ranks };
  assert.equal(hit(m, 10, 1, 0, 0), 0);
  assert.equal(hit(m, 63, 3, 0, 0), 1, "a failure that is near wins");
  assert.equal(hit(m, 80, 3, 0, 0), 2);
  assert.equal(hit(m, 99, 3, 0, 0), -1);
  assert.equal(hit(m, 10, 1, 4, 9), -1, "a row that there is not");
});

test("zooming keeps to what there is", () => {
  const all = whole(1000, 50);
  assert.deepEqual(within({ u0: -500, u1: 5000, r0: -10, r1: 500 }, 1000, 50), all);
  const near = within(zoomTime(all, 300, 4), 1000, 50);
  assert.ok(Math.abs((300 - near.u0) / (near.u1 - near.u0) - (300 - all.u0) / (all.u1 - all.u0)) < 1e-9, "the time under the pointer stays there");
  const tiny = within(zoomTime(all, 300, 1e9), 1000, 50);
  assert.ok(tiny.u1 - tiny.u0 >= 0.019);
});

test("the keyboard moves the sight to where it is", () => {
  const c = filled(Array.from({ length: 100 }, (_, i) => [i, "a", "Completed", i, i, i + 1]));
  const m = { layout: layout(c, "task", "start", false, 200), spread: spread(c, false, straight, 200) };
  const v = reveal({ u0: 0, u1: 10, r0: 0, r1: 10 }, m, 57);
  assert.ok(v.r0 <= 57 && v.r1 >= 58 && v.u0 <= 57 && v.u1 >= 57);
  assert.deepEqual(reveal({ u0: 50, u1: 60, r0: 50, r1: 60 }, m, 57), { u0: 50, u1: 60, r0: 50, r1: 60 }, "which is seen already");
});

test("limits are lines in the chart, if it comes near them", () => {
  const of = (...pairs) => pairs.map(([limit, tag]) => ({ limit, ...(tag && { tag }) }));
  assert.deepEqual(bounds([], 7), { top: 7, lines: [] });
  assert.deepEqual(bounds(of([10, "db"], [10], [0, "closed"], [500, "far"]), 8), { top: 10, lines: [{ at: 10, text: "db, a group ≤ 10" }] });
  const { top, lines } = bounds(of([9, "a"], [10, "b"], [11, "c"], [4, "d"]), 10);
  assert.deepEqual([top, lines.map((l) => l.at)], [11, [11, 10, 9]], "the three that are nearest, from above");
  assert.deepEqual(bounds(of([1, "one"]), 0), { top: 0, lines: [] }, "nothing ran");
});
