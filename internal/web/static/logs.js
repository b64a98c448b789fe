// <log-view src="…/logs">: the lines of a run's log, the last ones first, followed while
// the run goes on. What is looked for is looked for by the server.

import { Island, choice, h, keep, keepStretch, kept, openTask, stretch, toggle, trouble } from "./island.js";
import { fold, pairs, parts } from "./ansi.js";
import { Lines, readLines } from "./log-lines.js";
import { count } from "./units.js";
import "./jsontree.js";

/** @typedef {import("../js/api").LogLine} LogLine */

const page = 500; // lines that are read at once
const near = 24; // px from the end that are as good as at the end

class LogView extends Island {
  #lines = new Lines();
  #list = h("div", { class: "isle-log", role: "log", "aria-live": "off", tabindex: "0", "aria-label": "Lines" });
  #pill = h("button", { type: "button", class: "isle-pill", hidden: true });
  #count = h("span", { class: "isle-sum" });
  #level = "";
  #name = ""; // of a task
  #attempt = "";
  #names = h("select", {}, h("option", { value: "" }, "all"));
  #text = "";
  #regex = false;
  /** Milliseconds since the run was created. @type {[number, number]|undefined} */ #between = this.dataset.t0 ? stretch() : undefined;
  #sticky = true; // at the end, and stays there
  #was = 0; // where it was when last looked at
  #turned = kept("newest") !== ""; // the end is at the top
  #fresh = 0; // lines that came while one was not
  #built = false;
  #paging = false;
  /** @type {AbortController|undefined} */ #stream;

  /** Only the first time: after that lines come by themselves. */
  async load() {
    if (this.#built) this.#offer();
    else await this.#begin();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    queueMicrotask(() => { if (!this.isConnected) this.#stream?.abort(); });
  }

  /** @param {Record<string, string|number|boolean>} query @param {(lines: LogLine[]) => void} got @param {AbortSignal} signal */
  async #read(query, got, signal) {
    const [since, until] = (this.#between ?? []).map((t, k) => new Date(Math.floor(Number(this.dataset.t0) + t) + k).toISOString());
    const chosen = { level: this.#level, name: this.#name, attempt: this.#attempt, since, until, ...(this.#regex ? { match: this.#text } : { contains: this.#text }) };
    const answer = await fetch(this.url({ ...chosen, ...query }), { cache: "no-store", credentials: "same-origin", signal });
    if (!answer.ok || answer.body === null) throw new Error(await trouble(answer));
    await readLines(answer.body, got);
  }

  /** @param {Record<string, string|number|boolean>} query */
  async #all(query) {
    /** @type {LogLine[]} */ const lines = [];
    await this.#read(query, (some) => { for (const l of some) lines.push(l); }, (this.#stream ?? new AbortController()).signal);
    return lines;
  }

  /** Reads the last lines, or those around one that the URL names, and follows. */
  async #begin() {
    this.#stream?.abort();
    const stream = this.#stream = new AbortController();
    const named = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? 0);
    const lines = await this.#all(named > 0 && !this.#built ? { from: Math.max(named - page / 2, 1), limit: page } : { tail: page });
    if (stream.signal.aborted) return;
    this.#build();
    this.#lines.begin(lines, page);
    if (named > 0 && lines.length > 0 && lines[0].line > 1) this.#lines.above = true;
    this.#list.replaceChildren(chunk(lines));
    if (lines.length === 0) this.#list.append(h("p", { class: "isle-none" }, this.#chosen() ? "No line is like this." : "It has written no lines yet."));
    this.#sticky = true;
    const target = named > 0 ? document.getElementById(`L${named}`) : null;
    if (target !== null) { this.#sticky = false; target.classList.add("named"); target.scrollIntoView({ block: "center" }); } else this.#end();
    this.#tell();
    void this.#follow(stream);
  }

  /** Reads on as lines come, until the run has ended. @param {AbortController} stream */
  async #follow(stream) {
    for (let pause = 1000; !stream.signal.aborted; pause = Math.min(pause * 2, 30_000)) {
      try {
        await this.#read({ from: this.#lines.last + 1, follow: true }, (lines) => { pause = 1000; this.#add(lines); }, stream.signal);
        return;
      } catch (err) {
        if (stream.signal.aborted) return;
        if (!(err instanceof TypeError)) { this.fail(err); return; } // else the connection broke off
        await new Promise((done) => { setTimeout(done, pause); });
      }
    }
  }

  /** @param {LogLine[]} lines */
  #add(lines) {
    if (this.#lines.below) return; // the end is not in memory: it is read when one comes to it
    const { added, cut } = this.#lines.after(lines);
    if (added.length === 0) return;
    this.#list.querySelector(".isle-none")?.remove();
    // Who has just scrolled away is not pulled back: the browser tells of it only later.
    if (this.#top < this.#was - near && this.#left > near) this.#sticky = false;
    this.#list.append(chunk(added));
    this.#cut(cut, "first");
    if (this.#sticky) this.#end();
    else { this.#fresh += added.length; this.#tell(); }
    this.#tell();
  }

  /** Takes lines off one end of what is shown. @param {number} n @param {"first"|"last"} end */
  #cut(n, end) {
    for (let k = 0; k < n; k++) {
      const part = end === "first" ? this.#list.firstElementChild : this.#list.lastElementChild;
      (end === "first" ? part?.firstElementChild : part?.lastElementChild)?.remove();
      if (part?.childElementCount === 0) part.remove();
    }
  }

  async #older() {
    if (this.#paging || !this.#lines.above || this.#lines.all.length === 0) return;
    this.#paging = true;
    try {
      const lines = await this.#all({ before: this.#lines.first, ...(!this.#chosen() && !this.#task() ? { from: Math.max(this.#lines.first - page, 1) } : { tail: page }) });
      const from = this.#list.scrollHeight - this.#top;
      const cut = this.#lines.before(lines, page);
      this.#list.prepend(chunk(lines));
      this.#cut(cut, "last");
      this.#top = this.#list.scrollHeight - from;
      this.#tell();
    } finally { this.#paging = false; }
  }

  async #newer() {
    if (this.#paging || !this.#lines.below) return;
    this.#paging = true;
    try {
      const lines = await this.#all({ from: this.#lines.last + 1, limit: page });
      this.#lines.below = lines.length === page;
      const { added, cut } = this.#lines.after(lines);
      this.#list.append(chunk(added));
      this.#cut(cut, "first");
      this.#tell();
      if (!this.#lines.below) void this.#follow(this.#stream ?? new AbortController());
    } finally { this.#paging = false; }
  }

  /** Whether some lines may be left out. */
  #chosen() { return this.#between !== undefined || [this.#text, this.#level, this.#name, this.#attempt].some((v) => v !== ""); }

  /** Whether it is the log of one task run, in which numbers have gaps. */
  #task() { return this.url().pathname.includes("/tasks/"); }

  /** How far it is scrolled from the first line. Turned, that one is at the bottom, from
   * where the browser counts down. */
  get #top() { return Math.abs(this.#list.scrollTop); }
  set #top(to) { this.#list.scrollTop = this.#turned ? -to : to; }

  /** How far it is from the end. */
  get #left() { return this.#list.scrollHeight - this.#top - this.#list.clientHeight; }

  /** Has the newest line at the top, or at the bottom. @param {boolean} on */
  #turn(on) {
    this.#turned = on;
    keep("newest", on ? "1" : "");
    this.#list.classList.toggle("turned", on);
    this.#sticky = true;
    this.#end();
    this.#tell();
  }

  #end() {
    if (this.#lines.below) { void this.#begin().catch((err) => this.fail(err)); return; }
    this.#top = this.#list.scrollHeight;
    this.#was = this.#top;
    this.#fresh = 0;
  }

  #tell() {
    const l = this.#lines;
    this.#count.textContent = l.all.length === 0 ? "" : `lines ${count(l.first)} to ${count(l.last)}${l.above ? ", more above" : ""}`;
    this.#pill.hidden = this.#sticky || (this.#fresh === 0 && !l.below);
    this.#pill.textContent = this.#fresh > 0 ? `${count(this.#fresh)} new line${this.#fresh === 1 ? "" : "s"} ${this.#turned ? "↑" : "↓"}` : `To the end ${this.#turned ? "↑" : "↓"}`;
  }

  #again() { this.#begin().catch((err) => { if (!this.#stream?.signal.aborted) this.fail(err); }); }

  #build() {
    if (this.#built) { this.querySelector(":scope > .island-note")?.remove(); return; }
    this.#built = true;
    const find = h("input", { type: "search", placeholder: "Text in lines", "aria-label": "Text in lines", spellcheck: "false" });
    const attempt = h("input", { type: "number", min: "1", placeholder: "Attempt", "aria-label": "Attempt" });
    /** @type {ReturnType<typeof setTimeout>|undefined} */ let timer;
    for (const i of [find, attempt]) {
      i.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(() => { [this.#text, this.#attempt] = [find.value, attempt.validity.valid ? attempt.value : ""]; this.#again(); }, 300);
      });
    }
    this.#names.addEventListener("change", () => { this.#name = this.#names.value; this.#again(); });
    this.#offer();
    const times = this.dataset.t0 ? this.#times() : undefined;
    const tools = h("div", { class: "isle-tools", role: "toolbar", "aria-label": "Log" },
      choice("Level", [["", "all"], ["info", "info and above"], ["warn", "warn and above"], ["error", "error"]], "", (v) => { this.#level = v; this.#again(); }),
      this.dataset.names !== undefined && h("label", { class: "choose" }, h("span", {}, "Task"), this.#names), attempt, find, toggle("Regex", "The text is a regular expression", false, (on) => { this.#regex = on; if (this.#text !== "") this.#again(); }),
      toggle("Wrap", "Break long lines", true, (on) => this.#list.classList.toggle("straight", !on)),
      times && times[0],
      toggle("Newest first", "The last line is at the top", this.#turned, (on) => this.#turn(on)), this.#count,
      h("span", { class: "group" }, h("a", { class: "button", href: this.url().href, download: "log.ndjson", title: "All lines as JSON" }, "NDJSON"), h("button", { type: "button", class: "button", title: "What is shown as text", onclick: () => this.#save() }, "Text")),
      times && times[1]);
    this.#pill.addEventListener("click", () => { this.#sticky = true; this.#end(); this.#tell(); });
    this.#list.addEventListener("scroll", () => {
      const top = this.#was = this.#top, left = this.#left;
      this.#sticky = left < near && !this.#lines.below;
      if (this.#sticky) this.#fresh = 0;
      if (top < 300) this.#older().catch((err) => this.fail(err));
      if (left < 300) this.#newer().catch((err) => this.fail(err));
      this.#tell();
    }, { passive: true });
    this.#list.addEventListener("click", (e) => {
      const a = e.target instanceof Element ? e.target.closest("a[data-seq]") : null;
      if (a === null || e.ctrlKey || e.metaKey || e.shiftKey) return;
      e.preventDefault();
      openTask(a.getAttribute("data-seq") ?? "");
    });
    this.#list.classList.toggle("turned", this.#turned);
    this.dataset.drawn = "";
    this.replaceChildren(tools, this.#list, this.#pill);
  }

  /** Lets one choose each task that the run has by now. */
  #offer() {
    const known = new Set([...this.#names.options].map((o) => o.value));
    for (const name of /** @type {string[]} */ (JSON.parse(this.dataset.names ?? "null") ?? [])) if (!known.has(name)) this.#names.append(h("option", { value: name }, name));
  }

  /** Two inputs for the stretch of time, and what shows them. */
  #times() {
    const utc = document.documentElement.dataset.times === "utc", t0 = Number(this.dataset.t0);
    const text = (/** @type {number} */ t) => new Date(t - (utc ? 0 : new Date(t).getTimezoneOffset() * 60_000)).toISOString().slice(0, 23);
    const input = (/** @type {string} */ label) => h("input", { type: "datetime-local", step: "0.001", "aria-label": label });
    const from = input("From"), to = input("To"), both = h("span", { class: "isle-times", hidden: this.#between === undefined }, from, " to ", to);
    const fill = () => {
      const { all } = this.#lines, ends = this.#between?.map((t) => t0 + t) ?? (all.length > 0 ? [Date.parse(all[0].time), Date.parse(all[all.length - 1].time) + 1] : []);
      ends.forEach((t, k) => { [from, to][k].value = text(t); });
    };
    const use = (/** @type {[number, number]|undefined} */ span) => { this.#between = span; keepStretch(span); this.#again(); };
    fill();
    for (const i of [from, to]) {
      i.addEventListener("change", () => {
        const [a, b] = [from, to].map((e) => Date.parse(e.value + (utc ? "Z" : "")) - t0);
        if (a < b) use([Math.max(a, 0), b]);
      });
    }
    return [toggle("Times", "Only lines of a stretch of time, which the timeline shows too", this.#between !== undefined, (on) => {
      both.hidden = !on;
      if (on) fill();
      else if (this.#between !== undefined) use(undefined);
    }), both];
  }

  #save() {
    const text = this.#lines.all.map((l) => `${l.time} ${l.level} ${l.task_run.split("/")[1]} ${l.text}`).join("\n");
    const a = h("a", { href: URL.createObjectURL(new Blob([text, "\n"], { type: "text/plain" })), download: "log.txt" });
    a.click();
    URL.revokeObjectURL(a.href);
  }
}

/** Lines that are drawn together, or not at all while they are out of sight. @param {LogLine[]} lines */
function chunk(lines) {
  const all = document.createDocumentFragment();
  for (let from = 0; from < lines.length; from += 100) all.append(h("div", { class: "chunk" }, ...lines.slice(from, from + 100).map(row)));
  return all;
}

/** @param {LogLine} l */
function row(l) {
  const seq = l.task_run.split("/")[1] ?? "", at = new Date(l.time);
  return h("div", { class: `isle-line l-${l.level.toLowerCase()}`, id: `L${l.line}` },
    h("a", { class: "no", href: `#L${l.line}` }, l.line), h("time", { title: at.toLocaleString() }, clock(at)), h("b", {}, l.level),
    h("a", { class: "by", href: `?task=${seq}`, "data-seq": seq }, `${l.task}-${seq}${l.attempt > 1 ? ` #${l.attempt}` : ""}`), message(l.text));
}

/** @param {Date} at */
function clock(at) {
  if (document.documentElement.dataset.times === "utc") return at.toISOString().slice(11, 23);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** @param {string} text */
function message(text) {
  const json = pairs(text);
  if (json !== undefined) {
    const d = h("details", { class: "isle-text" }, h("summary", {}, json.before, ...json.pairs.slice(0, 12).flatMap(([k, v]) => [h("span", { class: "soft" }, `${k}=`), v.length > 80 ? `${v.slice(0, 80)}…` : v, " "])));
    d.addEventListener("toggle", () => { if (d.childElementCount === 1) d.append(h("json-tree", {}, h("pre", {}, json.json))); });
    return d;
  }
  const { head, rest, more } = fold(text), out = h("span", { class: "isle-text" }, ...drawn(head));
  if (more > 0) {
    const b = h("button", { type: "button", class: "button", onclick: () => b.replaceWith("\n", ...drawn(rest)) }, `${count(more)} more lines`);
    out.append(" ", b);
  }
  return out;
}

/** @param {string} text */
const drawn = (text) => parts(text).map((p) => (p.href !== undefined ? h("a", { href: p.href, rel: "noopener noreferrer", class: p.marks || undefined }, p.text) : p.marks !== "" ? h("span", { class: p.marks }, p.text) : p.text));

customElements.define("log-view", LogView);
