// Suggests fields and values of the filter language while somebody types one: a combobox
// over the end of what is typed. data-suggest says what the filter is for, runs or tasks;
// the API knows the rest, as for completion in a shell. With data-find it leads to what
// is named so, too: that page knows it.

const list = document.createElement("ul");
list.id = "suggestions";
list.className = "suggestions";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Suggestions");
list.hidden = true;
document.body.append(list);

/** @type {HTMLInputElement|null} */ let input = null;
let at = -1; // the one that is chosen

const root = document.body.dataset.base ?? "./";
const bytes = new TextEncoder(), text = new TextDecoder();

/** What is typed, up to the cursor. @param {HTMLInputElement} of */
const before = (of) => of.value.slice(0, of.selectionStart ?? of.value.length);

function close() {
  asked++;
  list.hidden = true;
  at = -1;
  input?.setAttribute("aria-expanded", "false");
  input?.removeAttribute("aria-activedescendant");
}

/** @param {string} text @param {string} [more] what it is @param {string} [href] where it leads
 * @param {number} [from] where what it takes the place of begins */
function option(text, more, href, from) {
  const item = document.createElement("li");
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  item.dataset.text = text;
  item.textContent = text;
  if (href !== undefined) item.dataset.href = href;
  if (from !== undefined) item.dataset.from = String(from);
  if (!more) return item;
  const of = document.createElement("span");
  of.textContent = ` ${more}`;
  item.append(of);
  return item;
}

let asked = 0; // so that only the answer to the last question is shown

/** Asks for what fits, and shows it. @param {HTMLInputElement} of */
async function open(of) {
  const mine = ++asked, typed = before(of);
  await new Promise((done) => { setTimeout(done, 80); });
  if (mine !== asked) return;
  const named = of.dataset.find !== undefined && !of.value.includes(":");
  const all = await Promise.all([named ? found(of) : [], named && typed === "" ? [] : fits(of, typed)]).catch(() => undefined);
  if (all === undefined || mine !== asked || before(of) !== typed || document.activeElement !== of) return;
  show(of, [...all[0], ...(named ? all[1].slice(0, 4) : all[1])]);
}

/** What the end of a filter may become. @param {HTMLInputElement} of @param {string} typed */
async function fits(of, typed) {
  const answer = await fetch(`${root}api/v1/suggest?${new URLSearchParams({ target: of.dataset.suggest ?? "", q: typed })}`, { credentials: "same-origin" });
  if (!answer.ok) return [];
  const { begin, items } = /** @type {{begin: number, items: {text: string, doc?: string}[]}} */ (await answer.json());
  const from = text.decode(bytes.encode(typed).slice(0, begin)).length;
  return items.filter((i) => i.text !== typed.slice(from)).map((i) => option(i.text, i.doc, undefined, from));
}

/** What is named so. @param {HTMLInputElement} of */
async function found(of) {
  const answer = await fetch(`${of.dataset.find}?list=1&q=${encodeURIComponent(of.value)}`, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return [];
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return [...page.querySelectorAll("#hits a")].map((a) => option(a.querySelector("b")?.textContent ?? "", a.querySelector("span")?.textContent ?? "", new URL(a.getAttribute("href") ?? "", answer.url).href));
}

/** @param {HTMLInputElement} of @param {HTMLLIElement[]} items */
function show(of, items) {
  if (items.length === 0) { close(); return; }
  input = of;
  at = -1;
  items.forEach((item, i) => { item.id = `suggestion-${i}`; });
  list.replaceChildren(...items);
  const box = of.getBoundingClientRect();
  list.style.left = `${box.left}px`;
  list.style.top = `${box.bottom + 4}px`;
  list.hidden = false;
  of.setAttribute("aria-expanded", "true");
}

/** @param {number} to */
function choose(to) {
  const items = [...list.children];
  at = (to + items.length) % items.length;
  items.forEach((e, i) => e.setAttribute("aria-selected", String(i === at)));
  items[at].scrollIntoView({ block: "nearest" });
  input?.setAttribute("aria-activedescendant", items[at].id);
}

/** Puts a suggestion in place of the word, or goes where it leads. @param {HTMLElement} item */
function take(item) {
  if (input === null) return;
  if (item.dataset.href !== undefined) { location.assign(item.dataset.href); return; }
  const word = item.dataset.text ?? "", from = Number(item.dataset.from), rest = input.value.slice(before(input).length);
  const gap = word.endsWith(":") || rest.startsWith(" ") ? "" : " ";
  input.value = input.value.slice(0, from) + word + gap + rest;
  const end = from + word.length + gap.length;
  input.setSelectionRange(end, end);
  if (word.endsWith(":")) void open(input);
  else close();
}

/** @param {HTMLInputElement} one */
function attach(one) {
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) one.setAttribute(name, value);
  one.addEventListener("input", () => { void open(one); });
  if (one.dataset.find !== undefined) one.addEventListener("focus", () => { if (one.value === "") void open(one); });
  one.addEventListener("blur", close);
  one.addEventListener("keydown", (e) => {
    if (e.isComposing) return;
    if (e.key === "ArrowDown") { e.preventDefault(); if (list.hidden) void open(one); else choose(at + 1); return; }
    if (list.hidden) return;
    if (e.key === "ArrowUp") { e.preventDefault(); choose(at < 0 ? -1 : at - 1); }
    else if ((e.key === "Enter" || e.key === "Tab") && at >= 0) { e.preventDefault(); take(/** @type {HTMLElement} */ (list.children[at])); }
    else if (e.key === "Escape") { e.preventDefault(); e.stopPropagation(); close(); }
  });
}

list.addEventListener("mousedown", (e) => {
  e.preventDefault(); // the input keeps the focus
  const item = e.target instanceof Element ? e.target.closest("li") : null;
  if (item !== null) take(item);
});
for (const one of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input[data-suggest]"))) attach(one);
addEventListener("scroll", close, { passive: true });

export {};
