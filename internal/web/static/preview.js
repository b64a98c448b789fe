// Shows beside a form what would come of it, as it is typed: the page itself is asked
// for it, with what the form holds.

const form = /** @type {HTMLFormElement|null} */ (document.querySelector("form[data-preview]"));
/** @type {ReturnType<typeof setTimeout>|undefined} */ let timer;
let asked = 0;

async function preview() {
  if (form === null) return;
  const mine = ++asked;
  const q = new URLSearchParams(/** @type {[string, string][]} */ ([...new FormData(form).entries()].filter(([, v]) => typeof v === "string")));
  q.set("shown", "1");
  try {
    const answer = await fetch(`${location.pathname}?${q}`, { credentials: "same-origin" });
    if (!answer.ok || mine !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("preview");
    if (now !== null) document.getElementById("preview")?.replaceChildren(...now.childNodes);
  } catch { /* what is shown stays */ }
}

form?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(preview, 250);
});
