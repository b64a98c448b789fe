import { expect, runNamed, test } from "../server.mjs";

test.use({ contextOptions: { reducedMotion: "no-preference" } });

test("a run that is submitted elsewhere appears within a second, and nothing else moves", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  await expect(page.getByRole("button", { name: "live" })).toBeVisible();
  // Somebody types, has ticked a row and scrolled.
  const box = page.locator("#runs tbody tr").nth(3).getByRole("checkbox");
  await box.check();
  const ticked = await box.getAttribute("value");
  await page.getByLabel("Filter", { exact: true }).fill("half a fil");
  await page.evaluate(() => scrollTo(0, 200));
  const { id } = await server.api("/runs", { method: "POST", body: JSON.stringify({ task: "price", args: ["milk"], name: "appears" }) });
  const began = Date.now();
  await expect(page.locator(`#run-${id}`)).toBeAttached({ timeout: 30_000 }); // this machine may have more to do
  console.log(`appeared after ${Date.now() - began} ms`);
  await expect(page.getByLabel("Filter", { exact: true })).toHaveValue("half a fil");
  await expect(page.getByLabel("Filter", { exact: true })).toBeFocused();
  await expect(page.locator(`input[value="${ticked}"]`)).toBeChecked();
  expect(await page.evaluate(() => scrollY)).toBe(200);
});

test("an open dialog stays as it is while its page changes", async ({ page, server }) => {
  const run = await runNamed(server, "waits for its task id");
  await page.goto(`${server.url}/runs/${run.id}`);
  await expect(page.getByRole("button", { name: "live" })).toBeVisible();
  await page.getByRole("main").getByRole("link", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("because");
  await server.api(`/runs/${run.id}/pause`, { method: "POST" });
  await expect(page.locator(".head")).toContainText("paused");
  await expect(page.getByRole("dialog").getByLabel("Reason")).toHaveValue("because");
  await expect(page.getByRole("dialog").getByLabel("Reason")).toBeFocused();
});

test("the dot pauses, and then nothing moves", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  await page.getByRole("button", { name: "live" }).click();
  await expect(page.getByRole("button", { name: "paused" })).toBeVisible();
  const { id } = await server.api("/runs", { method: "POST", body: JSON.stringify({ task: "price", args: ["tea"], name: "unseen" }) });
  await page.getByRole("button", { name: "paused" }).click();
  await expect(page.locator(`#run-${id}`)).toBeAttached();
});

test("the rail tells that an operation runs, and looks by itself whether it has ended", async ({ page, server }) => {
  let runs = true; // it would end too soon to be seen
  await page.route(`${server.url}/operations`, async (route) => {
    const { "if-none-match": _, ...headers } = route.request().headers();
    const answer = await route.fetch({ headers });
    const text = await answer.text();
    const badge = '<span>Operations</span> <b class="badge">1<span class="unseen"> running</span></b>';
    await route.fulfill({ response: answer, body: runs ? text.replace("<span>Operations</span>", badge) : text });
  });
  await page.goto(`${server.url}/operations`);
  const link = page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Operations 1 running", exact: true });
  await expect(link).toBeVisible();
  await expect(page.getByRole("button", { name: "live" })).toBeVisible();
  for (const width of [1400, 900, 320]) {
    await page.setViewportSize({ width, height: 800 });
    await expect(link).toBeAttached(); // its name is there where there is room for its picture alone
    const box = await link.boundingBox(), badge = await link.locator(".badge").boundingBox();
    expect(badge?.x).toBeGreaterThanOrEqual(box?.x ?? Infinity);
    expect((badge?.x ?? Infinity) + (badge?.width ?? 0)).toBeLessThanOrEqual((box?.x ?? 0) + (box?.width ?? 0));
  }
  runs = false;
  await expect(page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Operations", exact: true })).toBeAttached({ timeout: 15_000 });
});

test("a page that was fetched for a URL that has changed meanwhile is not shown", async ({ page, server }) => {
  const run = await runNamed(server, "stock-check"), asked = /** @type {string[]} */ ([]);
  let answer = () => {};
  const held = new Promise((resolve) => { answer = () => resolve(undefined); });
  await page.goto(`${server.url}/runs/${run.id}?tab=timeline`);
  await expect(page.locator("run-timeline")).toHaveAttribute("data-drawn");
  await expect(page.getByRole("button", { name: "live" })).toBeVisible();
  await page.route((url) => url.pathname === `/runs/${run.id}`, async (route) => {
    asked.push(route.request().url());
    if (asked.length > 1) { await route.continue(); return; }
    const { "if-none-match": _, ...headers } = route.request().headers();
    const response = await route.fetch({ headers });
    await held;
    await route.fulfill({ response, body: (await response.text()).replace(/<title>.*?<\/title>/, "<title>out of date</title>") });
  });
  await page.evaluate(() => {
    const seen = /** @type {any} */ (globalThis).seen = /** @type {string[]} */ ([]);
    new MutationObserver(() => seen.push(document.title)).observe(document.head, { subtree: true, childList: true, characterData: true });
    document.dispatchEvent(new Event("visibilitychange")); // at which the page is fetched again
  });
  await expect.poll(() => asked.length).toBe(1);
  await page.locator("run-timeline").getByLabel("Rows").selectOption({ label: "by task name" });
  await expect(page).toHaveURL(/lanes=name/);
  answer();
  await expect.poll(() => asked.at(-1)).toContain("lanes=name"); // it is fetched for where one is instead
  expect(await page.evaluate(() => /** @type {any} */ (globalThis).seen)).not.toContain("out of date");
});

test("on a narrow screen bars are scrolled to the tab, and the page, that is shown", async ({ page, server }) => {
  const run = await runNamed(server, "stock-check");
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(`${server.url}/runs/${run.id}?tab=history`);
  await expect(page.locator(".tabs [aria-current]")).toBeInViewport({ ratio: 0.9 });
  await expect(page.locator(".tabs").getByRole("link", { name: "Overview" })).not.toBeInViewport({ ratio: 0.9 }); // they don't all fit
  await page.setViewportSize({ width: 900, height: 640 });
  await page.goto(`${server.url}/settings`);
  await page.setViewportSize({ width: 320, height: 640 }); // turned upright
  await expect(page.locator(".rail [aria-current]")).toBeInViewport({ ratio: 0.9 });
});
