// Shows beside a row's link what is behind it, while the mouse rests on it or the keyboard
// has reached it. Space shows more, and lets one act: see keys.js.

import { gist } from "./live.js";

const rest = 500; // before it is asked for, in milliseconds
const links = ".rows tbody th a.name";

const tip = document.createElement("div");
tip.id = "glance";
tip.className = "glance";
tip.setAttribute("role", "tooltip");
tip.hidden = true;
document.body.append(tip);

/** @type {HTMLAnchorElement|null} */ let of = null;
/** @type {ReturnType<typeof setTimeout>|undefined} */ let timer;

function close() {
  clearTimeout(timer);
  of?.removeAttribute("aria-describedby");
  of = null;
  tip.hidden = true;
}

/** @param {HTMLAnchorElement} a */
async function show(a) {
  const found = await gist(a, ".sub, .progress, .why, .summary, .trouble-box pre, .attempts pre", 4).catch(() => undefined);
  if (found === undefined || of !== a || !a.isConnected) return;
  for (const link of found.body.querySelectorAll("a")) { // nothing in it can be reached
    const text = document.createElement("span");
    text.className = link.className;
    text.append(...link.childNodes);
    link.replaceWith(text);
  }
  const head = document.createElement("b");
  head.append(found.name, " ", found.state);
  tip.replaceChildren(head, found.body);
  tip.hidden = false;
  const at = a.getBoundingClientRect(), own = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - own.width - 8))}px`;
  tip.style.top = `${at.bottom + own.height + 8 > innerHeight && at.top > own.height ? at.top - own.height : at.bottom}px`;
  a.setAttribute("aria-describedby", tip.id);
}

/** @param {EventTarget|null} target */
function wait(target) {
  const a = target instanceof Element ? /** @type {HTMLAnchorElement|null} */ (target.closest(links)) : null;
  if (a === null || a === of) return;
  close();
  of = a;
  timer = setTimeout(() => { void show(a); }, rest);
}

document.addEventListener("pointerover", (e) => {
  if (e.pointerType !== "mouse") return;
  wait(e.target);
  if (of !== null && e.target instanceof Node && !of.contains(e.target) && !tip.contains(e.target)) close();
});
document.addEventListener("focusin", (e) => { if (e.target instanceof Element && e.target.matches(":focus-visible")) wait(e.target); });
document.addEventListener("focusout", close);
addEventListener("keydown", (e) => { if (e.key === "Escape" || e.key === " " || e.key === "Enter") close(); });
addEventListener("pointerdown", close);
addEventListener("scroll", close, { passive: true });
