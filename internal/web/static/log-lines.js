// The lines of a log that are in memory: a stretch of all that there are, which grows and
// is cut at either end.

/** @typedef {import("../js/api").LogLine} LogLine */

export const most = 20_000;

export class Lines {
  /** @type {LogLine[]} */ all = [];
  above = false; // there may be more
  below = false;

  get first() { return this.all[0]?.line ?? 0; }
  get last() { return this.all[this.all.length - 1]?.line ?? 0; }

  /** Begins anew with the last ones. @param {LogLine[]} lines @param {number} asked how many were asked for */
  begin(lines, asked) {
    this.all = lines;
    this.above = lines.length === asked;
    this.below = false;
  }

  /** Adds what comes before. @param {LogLine[]} lines @param {number} asked @returns {number} how many were cut below */
  before(lines, asked) {
    this.above = lines.length === asked;
    this.all = [...lines.filter((l) => l.line < this.first || this.all.length === 0), ...this.all];
    const cut = Math.max(this.all.length - most, 0);
    if (cut > 0) { this.all.length = most; this.below = true; }
    return cut;
  }

  /** Adds what comes after. @param {LogLine[]} lines @returns {{added: LogLine[], cut: number}} cut above */
  after(lines) {
    const added = lines.filter((l) => l.line > this.last);
    for (const l of added) this.all.push(l);
    const cut = Math.max(this.all.length - most, 0);
    if (cut > 0) { this.all.splice(0, cut); this.above = true; }
    return { added, cut };
  }
}

/** Reads lines of JSON as they come. What is a problem and no line is thrown.
 * @param {ReadableStream<Uint8Array>} body @param {(lines: LogLine[]) => void} got those that came together */
export async function readLines(body, got) {
  const reader = body.pipeThrough(/** @type {ReadableWritablePair<string, Uint8Array>} */ (new TextDecoderStream())).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const text = rest + (value ?? ""), end = text.lastIndexOf("\n");
    rest = text.slice(end + 1);
    if (end >= 0) {
      const lines = text.slice(0, end).split("\n").filter((l) => l !== "").map((l) => JSON.parse(l));
      const bad = lines.find((l) => l.line === undefined);
      got(lines.filter((l) => l.line !== undefined));
      if (bad !== undefined) throw new Error(bad.detail ?? bad.title ?? "the log broke off");
    }
    if (done) return;
  }
}
