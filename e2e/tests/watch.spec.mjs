// What one does while something runs: start it, watch it, read its log, make room for it.
import { expect, runNamed, test } from "../server.mjs";

test.use({ contextOptions: { reducedMotion: "no-preference" } });

/** The token that the body of a task run waits for an answer to: it is in its log.
 * @param {import("../server.mjs").Server} server @param {string} run @param {number} seq */
async function token(server, run, seq) {
  let found = "";
  await expect.poll(async () => {
    const text = await (await fetch(`${server.url}/api/v1/runs/${run}/tasks/${seq}/logs`)).text();
    found = /token=(\S+?)\\?"/.exec(text)?.[1] ?? "";
    return found;
  }).not.toBe("");
  return found;
}

/** Answers what waits for one. @param {import("../server.mjs").Server} server @param {string} token @param {string} result */
const answer = (server, token, result) => server.api(`/answers/${encodeURIComponent(token)}/complete`, { method: "POST", body: JSON.stringify({ result }) });

test("a run is started from the form of its task, and watched until it ends", async ({ page, server }) => {
  await page.goto(`${server.url}/flows`);
  await page.getByRole("link", { name: "approve", exact: true }).click();
  await page.getByRole("link", { name: "Run", exact: true }).click();
  await page.getByLabel("Argument 1, string").fill("a new coat");
  await page.getByLabel("Name of the run").fill("coat");
  await expect(page.locator("#preview code")).toHaveText(/^runnel run start approve 'a new coat' --name coat$/);
  await page.getByLabel("Reason").fill("it is cold");
  await page.getByRole("button", { name: "Start the run" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("coat");
  await expect(page.getByRole("status")).toContainText("has begun");
  await expect(page.getByRole("button", { name: "live" })).toBeVisible();
  await expect(page.locator(".why")).toContainText("answer");
  await expect(page).toHaveTitle(/^▶ coat/);
  const id = new URL(page.url()).pathname.split("/").pop() ?? "";
  const answered = await token(server, id, 0);
  const began = Date.now();
  await answer(server, answered, "yes");
  await expect(page.locator(".head")).toContainText("completed");
  console.log(`the end was seen after ${Date.now() - began} ms`);
  await expect(page).toHaveTitle(/^✓ coat/);
  await expect(page.locator(".summary")).toContainText("Completed in");
  const { items } = await server.api("/audit");
  expect(items.some((/** @type {{reason: string}} */ e) => e.reason === "it is cold")).toBe(true);
});

test("a form that is filled in wrongly says so beside the field, and keeps the rest", async ({ page, server }) => {
  await page.goto(`${server.url}/flows/order/start`);
  await page.getByLabel("Argument 1, string").fill("Ada");
  await page.getByLabel("Argument 2, array").fill("[tea");
  await page.getByRole("button", { name: "Start the run" }).click();
  await expect(page.getByLabel("Argument 2, array")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByText("This is no JSON")).toBeVisible();
  await expect(page.getByLabel("Argument 1, string")).toHaveValue("Ada");
});

test("a limit is raised, and who waited goes on", async ({ page, browser, server }) => {
  await server.api("/limits", { method: "POST", body: JSON.stringify({ tag: "oven", limit: 1 }) });
  for (let i = 0; i < 4; i++) {
    await server.api("/runs", { method: "POST", body: JSON.stringify({ task: "deliver", args: [`cake ${i}`], name: "bakes", options: { add_tags: ["oven"] } }) });
  }
  await page.goto(`${server.url}/limits/oven`);
  const waiting = page.locator(".figures div").filter({ hasText: "Waiting" }).locator("b");
  await expect(waiting).toHaveText(/^3\b/);
  await expect(page.getByRole("region", { name: "Who waits, in order" }).locator("tbody tr")).toHaveCount(3);
  const other = await browser.newPage();
  await other.goto(`${server.url}/limits`);
  await expect(other.locator("#limit-scales")).toContainText("the first waits"); // for ever: nobody who got a slot waited
  await expect(other.locator("#limit-oven")).toContainText("1 of 1");
  await expect(other.getByRole("button", { name: "live" })).toBeVisible();

  await page.getByRole("link", { name: "Change", exact: true }).click();
  await page.getByRole("dialog").getByLabel("Limit").fill("3");
  await page.getByRole("dialog").getByLabel("Reason").fill("a second oven has come");
  await page.getByRole("dialog").getByRole("button", { name: "Set the limit" }).click();
  await expect(waiting).toHaveText(/^1\b/);
  await expect(page.getByRole("region", { name: "Who has a slot" }).locator("tbody tr")).toHaveCount(3);
  await expect(other.locator("#limit-oven")).toContainText("3 of 3");

  // And in the list itself, without a dialog.
  await other.getByLabel("Limit on oven").fill("10");
  await other.locator("#limit-oven").getByRole("button", { name: "Set" }).click();
  await expect(other.locator("#limit-oven")).toContainText("4 of 10");
  await expect(waiting).toHaveText(/^0\b/);
  await expect(page.getByRole("region", { name: "Who waits, in order" })).toContainText("Nobody waits.");
  await other.close();
  await server.api("/operations", { method: "POST", body: JSON.stringify({ action: "cancel", q: "name:bakes", reason: "tidying up" }) });
});

test("a log is followed while it grows, and not while one reads further up", async ({ page, server }) => {
  const child = { steps: [{ task: "approve", args: ["a line"] }, { task: "chat" }] };
  const { id } = await server.api("/runs", { method: "POST", body: JSON.stringify({
    name: "grows", pipeline: { runnel: 1, steps: [{ children: [child, child, child] }] },
  }) });
  let asked = [];
  await expect.poll(async () => (asked = (await server.api(`/runs/${id}/tasks?q=why:answer`)).items).length).toBe(3);
  const tokens = await Promise.all(asked.map((/** @type {{seq: number}} */ t) => token(server, id, t.seq)));
  await page.setViewportSize({ width: 1000, height: 420 });
  await page.goto(`${server.url}/runs/${id}?tab=logs`);
  const list = page.getByRole("log"), lines = list.locator(".isle-line");
  await expect(lines).toHaveCount(3);
  await answer(server, tokens[0] ?? "", "yes");
  await expect(lines).toHaveCount(15);
  const below = () => list.evaluate((e) => Math.round(e.scrollHeight - e.scrollTop - e.clientHeight));
  await expect.poll(below).toBeLessThan(24);

  await list.evaluate((e) => { e.scrollTop = 0; });
  await expect.poll(below).toBeGreaterThan(24);
  await answer(server, tokens[1] ?? "", "yes");
  const pill = page.getByRole("button", { name: /new lines/ });
  await expect(pill).toHaveText("12 new lines ↓");
  expect(await list.evaluate((e) => e.scrollTop)).toBe(0); // where the reader is
  await pill.click();
  await expect.poll(below).toBeLessThan(24);
  await expect(pill).toBeHidden();

  // What is looked for is looked for in what comes, too.
  await page.getByLabel("Text in lines").fill("till is stuck");
  await expect(lines).toHaveCount(2);
  await answer(server, tokens[2] ?? "", "yes");
  await expect(lines).toHaveCount(3);

  // The newest first, if one wants that.
  await page.getByLabel("Text in lines").fill("");
  await expect(lines).toHaveCount(39);
  await page.getByRole("button", { name: "Newest first" }).click();
  await expect(page).toHaveURL(/newest=1/);
  const order = () => lines.evaluateAll((all) => all.map((e) => ({ no: Number(e.id.slice(1)), y: e.getBoundingClientRect().top })).sort((a, b) => a.y - b.y).map((l) => l.no));
  const numbers = await order();
  expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
  await expect(lines.filter({ has: page.locator(`[href="#L${numbers[0]}"]`) })).toBeInViewport();
});

test("where the event stream is cut off, the page asks by itself", async ({ page, server }) => {
  await page.clock.install();
  await page.route("**/api/v1/events**", (route) => route.fulfill({ status: 503, body: "no" }));
  await page.goto(`${server.url}/runs`);
  const dot = page.locator("#live");
  for (let i = 0; i < 8 && (await dot.innerText()) !== "polling"; i++) {
    const failed = page.waitForResponse("**/api/v1/events**");
    await page.clock.runFor(3000);
    await Promise.race([failed, expect(dot).toHaveText("polling")]);
  }
  await expect(dot).toHaveText("polling");
  const { id } = await server.api("/runs", { method: "POST", body: JSON.stringify({ task: "price", args: ["tea"], name: "polled" }) });
  await expect.poll(async () => {
    await page.clock.runFor(3000);
    return page.locator(`#run-${id}`).count();
  }).toBe(1);
  // And it follows again once the stream is back.
  await page.unroute("**/api/v1/events**");
  await expect.poll(async () => { await page.clock.runFor(3000); return dot.innerText(); }).toBe("live");
});

test("the page of workers draws how much comes into each queue and is done", async ({ page, server }) => {
  await server.api("/runs?wait_ms=20000", { method: "POST", body: JSON.stringify({ task: "chat", args: ["rates"] }) });
  await page.goto(`${server.url}/workers`);
  const rate = page.getByRole("row", { name: /^default/ }).getByRole("img", { name: /^A second: .+ in, .+ done; at most/ });
  await expect(async () => { await page.reload(); await expect(rate).toBeVisible({ timeout: 1000 }); }).toPass({ timeout: 45_000 }); // a point each ten seconds
});

test("a run is printed as black on white, without what is only for the screen", async ({ page, server }) => {
  const run = await runNamed(server, "stock-check");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.goto(`${server.url}/runs/${run.id}`);
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  for (const hidden of [".rail", ".top", ".tabs", ".actions"]) await expect(page.locator(hidden).first()).toBeHidden();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  expect(await page.evaluate(() => [getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.querySelector("h1") ?? document.body).color])).toEqual(["rgb(255, 255, 255)", "rgb(0, 0, 0)"]);
});
