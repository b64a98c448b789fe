import assert from "node:assert/strict";
import { test } from "node:test";
import { clamp, first, fit, pan, show, zoom } from "../static/view.js";
import { chained, lit, neighbour, reach, ways } from "../static/ways.js";
import { count, span, tickText, ticks } from "../static/units.js";
import { bad, glyph, open, stateOf, urgency, waiting } from "../static/looks.js";

const at = (id, x, y, more = {}) => ({ id, x, y, w: 100, h: 48, ...more });
// a → b → d, a → c → d, and x beside them; in b stand b1 → b2.
const nodes = [at("a", 0, 0), at("b", 150, 0), at("c", 150, 100), at("d", 300, 0), at("x", 0, 200), at("b1", 160, 10, { in: "b" }), at("b2", 220, 10, { in: "b" })];
const edges = [["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"], ["b1", "b2"]].map(([from, to]) => ({ from, to }));

test("what is before and after a node is lit, and no other", () => {
  assert.deepEqual([...lit(nodes, edges, "c")].sort(), ["a", "c", "d"]);
  assert.deepEqual([...lit(nodes, edges, "x")], ["x"]);
});

test("in a group, what comes before and after the group is lit too", () => {
  assert.deepEqual([...lit(nodes, edges, "b2")].sort(), ["a", "b", "b1", "b2", "d"]);
});

test("with a group that is lit, what stands in it is", () => {
  assert.deepEqual([...lit(nodes, edges, "d")].sort(), ["a", "b", "b1", "b2", "c", "d"]);
});

test("an edge that leads back is not followed", () => {
  const { next } = ways([...edges, { from: "d", to: "a", repeat: true }]);
  assert.deepEqual([...reach(next, "b")], ["b", "d"]);
});

test("a chain has the edges between its nodes", () => {
  assert.deepEqual(chained(edges, ["a", "c", "d"]).map((e) => e.from + e.to), ["ac", "cd"]);
});

test("arrow keys lead to the nearest ahead", () => {
  const [a, b, c, d] = nodes;
  assert.equal(neighbour(nodes.slice(0, 5), a, "ArrowRight"), b);
  assert.equal(neighbour(nodes.slice(0, 5), b, "ArrowDown"), c);
  assert.equal(neighbour(nodes.slice(0, 5), c, "ArrowRight"), d);
  assert.equal(neighbour(nodes.slice(0, 5), a, "ArrowLeft"), undefined);
});

test("zooming keeps the point under the pointer", () => {
  let v = { x: 10, y: 20, k: 1 };
  for (const factor of [1.3, 0.5, 3, 0.01, 100]) {
    const next = zoom(v, 200, 100, factor);
    assert.ok(Math.abs(v.x + 200 / v.k - (next.x + 200 / next.k)) < 1e-9 && Math.abs(v.y + 100 / v.k - (next.y + 100 / next.k)) < 1e-9);
    assert.ok(next.k >= 0.05 && next.k <= 4);
    v = next;
  }
});

test("a picture fits, is never enlarged, and is read from its beginning if it is too large", () => {
  const v = fit({ w: 2000, h: 300 }, { w: 1000, h: 500 });
  assert.deepEqual(v, { x: 0, y: -350, k: 0.5 });
  assert.equal(fit({ w: 100, h: 100 }, { w: 1000, h: 500 }).k, 1);
  assert.deepEqual(first({ w: 20000, h: 300 }, { w: 1000, h: 500 }), { x: 0, y: (300 - 500 / 0.85) / 2, k: 0.85 });
});

test("some of a picture stays in the window", () => {
  const v = clamp(pan({ x: 0, y: 0, k: 1 }, 99999, -99999), { w: 500, h: 300 }, { w: 1000, h: 500 });
  assert.deepEqual(v, { x: -940, y: 240, k: 1 });
});

test("a node that is not seen is shown, moving no more than needed", () => {
  const window = { w: 400, h: 300 }, box = { x: 900, y: 10, w: 100, h: 48 };
  const v = show({ x: 0, y: 0, k: 1 }, window, box);
  assert.deepEqual(v, { x: 624, y: -14, k: 1 });
  assert.deepEqual(show(v, window, box), v);
});

test("durations and counts as people read them", () => {
  for (const [ms, want] of [[0, "0 ms"], [0.4, "400 µs"], [0.0001, "1 µs"], [3.14, "3.1 ms"], [12.6, "13 ms"], [912, "912 ms"], [1000, "1 s"], [1234, "1.2 s"], [59_999, "60 s"], [61_000, "1m 01s"], [3_725_000, "1h 02m"], [200_000_000, "2d 07h"], [-5, "−5 ms"]]) assert.equal(span(ms), want);
  assert.deepEqual([1, 1234, 1234567].map(count), ["1", "1,234", "1,234,567"]);
});

test("ticks are round and within", () => {
  const { step, at: list } = ticks(130, 4900, 6);
  assert.equal(step, 1000);
  assert.deepEqual(list, [1000, 2000, 3000, 4000]);
  assert.ok(ticks(0, 1e13, 10).at.length <= 200);
  for (const [ms, s, want] of [[0, 100, "0"], [0.25, 0.05, "0.25 ms"], [500, 100, "500 ms"], [1500, 500, "1.5 s"], [90_000, 30_000, "1:30"], [3_690_000, 60_000, "1:01:30"], [172_800_000, 86_400_000, "2d"]]) assert.equal(tickText(ms, s), want);
});

test("states of the API are states that are drawn", () => {
  for (const [name, want] of [["Completed", "completed"], ["AwaitingRetry", "retrying"], ["Retrying", "running"], ["TimedOut", "failed"], ["NotReady", "skipped"], ["Whatever", "unknown"]]) assert.equal(stateOf(name), want);
  assert.ok(urgency("failed") < urgency("running") && urgency("running") < urgency("completed") && urgency("nonsense") >= urgency("unknown"));
  assert.ok(open("retrying") && !open("failed") && bad("crashed") && !bad("cancelled"));
  assert.equal(glyph("failed"), "✗");
  assert.equal(waiting("slots"), "waits for a slot");
  assert.equal(waiting(""), "");
});
