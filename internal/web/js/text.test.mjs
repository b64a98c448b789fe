import assert from "node:assert/strict";
import { test } from "node:test";
import { fold, pairs, parts } from "../static/ansi.js";
import { has, path, read, write } from "../static/json-read.js";
import { Lines, most, readLines } from "../static/log-lines.js";

const line = (n) => ({ line: n, text: `line ${n}` });
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => line(from + i));

test("colours of a terminal become marks, and other sequences go", () => {
  assert.deepEqual(parts("a\x1b[31;1mred\x1b[39m bold\x1b[0m\x1b[2K end"), [
    { text: "a", marks: "" }, { text: "red", marks: "a-31 a-1" }, { text: " bold", marks: "a-1" }, { text: " end", marks: "" },
  ]);
  assert.deepEqual(parts("\x1b[38;5;196mx\x1b[m\x1b]0;title\x07y"), [{ text: "x", marks: "" }, { text: "y", marks: "" }]);
});

test("links are links, without the full stop after them", () => {
  assert.deepEqual(parts("see https://example.com/a?b=1. (http://x.y/z)").filter((p) => p.href).map((p) => p.href), ["https://example.com/a?b=1", "http://x.y/z"]);
  assert.equal(parts("javascript:alert(1)").some((p) => p.href), false);
});

test("no text is lost", () => {
  for (const text of ["", "plain", "<b>&", "a http://b/c d\x1b[1mhttps://e/f\x1b[0m g"]) assert.equal(parts(text).map((p) => p.text).join(""), text.replace(/\x1b\[\d*m/g, ""));
});

test("long messages fold after three lines, not for one more", () => {
  assert.deepEqual(fold("1\n2\n3\n4\n"), { head: "1\n2\n3\n4", rest: "", more: 0 });
  assert.deepEqual(fold("1\n2\n3\n4\n5"), { head: "1\n2\n3", rest: "4\n5", more: 2 });
});

test("a JSON object is told as pairs", () => {
  assert.deepEqual(pairs('saved {"id":7,"name":"x","deep":{"a":[1]}}'), { before: "saved ", json: '{"id":7,"name":"x","deep":{"a":[1]}}', pairs: [["id", "7"], ["name", "x"], ["deep", '{"a":[1]}']] });
  for (const text of ["no", "{not json}", "{1}", "} {"]) assert.equal(pairs(text), undefined, text);
});

test("JSON keeps all digits, and sorts its keys", () => {
  const text = '{"b": 12345678901234567890.10, "a": [true, null, "x\\n\\u00e9"], "c": {}}';
  assert.equal(write(read(text)), '{"a":[true,null,"x\\né"],"b":12345678901234567890.10,"c":{}}');
});

test("what is no JSON is refused", () => {
  for (const text of ["", "{", "[1,]", "[1 2]", '{"a" 1}', "{a:1}", "1 2", "01", '"\n"', "[1", '{"a":1,}', "nul"]) assert.throws(() => read(text), SyntaxError, text);
});

test("the way to a value is as jq has it", () => {
  assert.equal(path(["rows", 3, "first name", "id"]), '.rows[3]["first name"].id');
  assert.equal(path([]), ".");
  assert.ok(has(read('{"rows":[{"Name":"Ada"}]}'), "ada") && has(read('{"rows":[]}'), "row") && !has(read("[1]"), "2"));
});

test("lines grow at both ends and are cut at the other", () => {
  const l = new Lines();
  l.begin(lines(501, 1000), 500);
  assert.deepEqual([l.first, l.last, l.above, l.below], [501, 1000, true, false]);
  assert.deepEqual(l.after(lines(999, 1002)).added.map((x) => x.line), [1001, 1002], "what is there already is not added again");
  assert.equal(l.before(lines(1, 500), 600), 0);
  assert.equal(l.above, false, "fewer came than were asked for");
  const grown = l.after(lines(1003, most + 100));
  assert.deepEqual([l.all.length, grown.cut, l.first, l.above], [most, 100, 101, true]);
  assert.equal(l.last, most + 100);
  const cut = l.before(lines(l.first - 10, l.first - 1), 10);
  assert.deepEqual([cut, l.below, l.all.length], [10, true, most]);
});

test("lines are read as they come, however they are cut", async () => {
  const text = lines(1, 50).map((x) => JSON.stringify({ ...x, text: "é" })).join("\n") + "\n";
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream({ start(c) { for (let i = 0; i < bytes.length; i += 7) c.enqueue(bytes.slice(i, i + 7)); c.close(); } });
  const got = [];
  await readLines(body, (some) => got.push(...some));
  assert.deepEqual(got.map((x) => x.line), lines(1, 50).map((x) => x.line));
  assert.equal(got[49].text, "é");
});

test("a problem in the stream is said, after the lines before it", async () => {
  const body = new Blob(['{"line":1,"text":"a"}\n{"title":"Internal","detail":"the store is gone"}\n']).stream(), got = [];
  await assert.rejects(readLines(body, (some) => got.push(...some)), /the store is gone/);
  assert.equal(got.length, 1);
});
