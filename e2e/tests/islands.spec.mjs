// The graph and the timeline: what one does to see more of them.
import { expect, runNamed, test } from "../server.mjs";

test("a group of the graph is opened, by mouse and by keyboard, and the URL has it", async ({ page, server }) => {
  const run = await runNamed(server, "stock-check");
  await page.goto(`${server.url}/runs/${run.id}?tab=graph`);
  const graph = page.locator("run-graph[data-drawn]"), nodes = graph.locator("[data-id]");
  await expect(graph).toBeVisible();
  const closed = await nodes.count();
  await graph.locator("[data-fold]").first().click();
  await expect.poll(() => nodes.count()).toBeGreaterThan(closed);
  await expect(page).toHaveURL(/open=/);
  const open = await nodes.count();
  await page.reload();
  await expect(nodes).toHaveCount(open);
  await expect(graph).toBeVisible();
  await graph.locator("[data-fold]").first().click();
  await expect(nodes).toHaveCount(closed);
  await expect(page).not.toHaveURL(/open=/);
  const group = graph.locator("[data-id]:has([data-fold])").first();
  await group.focus();
  await page.keyboard.press("e");
  await expect(nodes).toHaveCount(open);
});

test("a node of the graph opens its task run beside it", async ({ page, server }) => {
  const run = await runNamed(server, "pay");
  await page.goto(`${server.url}/runs/${run.id}?tab=graph`);
  await page.locator("run-graph[data-drawn] [data-id]").first().click();
  await expect(page.getByRole("complementary")).toContainText("connection refused");
  await expect(page).toHaveURL(/task=0/);
});

/** What a timeline shows. @param {import("@playwright/test").Page} page @returns {Promise<{u0: number, u1: number, r0: number, r1: number}>} */
const seen = (page) => page.locator("run-timeline").evaluate((e) => /** @type {any} */ (e).view);

test("a stretch of the timeline is brushed, and a double click goes back", async ({ page, server }) => {
  const run = await runNamed(server, "stock-check");
  await page.goto(`${server.url}/runs/${run.id}?tab=timeline`);
  const board = page.locator("run-timeline[data-drawn] .board");
  await expect(board).toBeVisible();
  const all = await seen(page);
  const box = /** @type {{x: number, y: number, width: number, height: number}} */ (await board.boundingBox());
  const left = box.x + 150, width = box.width - 150, y = box.y + 100;
  await page.mouse.move(left + width * 0.25, y);
  await page.mouse.down();
  await page.mouse.move(left + width * 0.4, y + 2);
  await page.mouse.move(left + width * 0.5, y);
  await page.mouse.up();
  const part = await seen(page);
  expect(part.u1 - part.u0).toBeLessThan((all.u1 - all.u0) * 0.3);
  expect(part.u0).toBeGreaterThan(all.u0 + (all.u1 - all.u0) * 0.2);
  expect([part.r0, part.r1]).toEqual([all.r0, all.r1]); // only time was chosen
  await page.mouse.dblclick(left + width / 2, y);
  await expect.poll(() => seen(page)).toEqual(all);
  // The keyboard: closer, to the first bar, and into it.
  await board.focus();
  await page.keyboard.press("+");
  expect((await seen(page)).u1).toBeLessThan(all.u1);
  await page.keyboard.press("0");
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/task=0/);
  await expect(page.getByRole("complementary")).toContainText("stock_list");
});

test("rows of the timeline are by task name, or by worker, if one wants that", async ({ page, server }) => {
  const run = await runNamed(server, "stock-check");
  await page.goto(`${server.url}/runs/${run.id}?tab=timeline`);
  const view = page.locator("run-timeline[data-drawn]");
  const rows = () => view.evaluate((e) => /** @type {any} */ (e).model.layout.rows);
  await expect(view).toBeVisible();
  const each = await rows();
  expect(each).toBeGreaterThan(1999);
  await view.getByLabel("Rows").selectOption({ label: "by task name" });
  expect(await rows()).toBeLessThan(each / 2);
  await expect(page).toHaveURL(/lanes=name/);
  await view.getByLabel("Rows").selectOption({ label: "by worker" });
  const bands = await view.evaluate((e) => /** @type {any} */ (e).model.layout.bands);
  expect(bands).toHaveLength(1);
  expect(bands[0].name).toMatch(/, pid \d+$/);
  expect(bands[0].n).toBe(each);
});

test("the timeline and the log of a run show the same stretch of time", async ({ page, server }) => {
  const steps = [{ task: "chat", args: ["early"] }, { task: "shell", ignore: true, args: [{ command: "sleep 0.4" }] }, { task: "chat", ignore: true, args: ["late"] }];
  const run = await server.api("/runs?wait_ms=20000", { method: "POST", body: JSON.stringify({ name: "talk", pipeline: { runnel: 1, steps } }) });
  const view = page.locator("run-timeline"), lines = async () => (await page.locator("log-view .isle-line").count());
  await page.goto(`${server.url}/runs/${run.id}?tab=logs`);
  await expect(page.locator("log-view")).toHaveAttribute("data-drawn");
  const all = await lines();
  expect(all).toBeGreaterThan(1);
  await page.goto(`${server.url}/runs/${run.id}?tab=timeline`);
  await expect(view).toHaveAttribute("data-drawn");
  const box = /** @type {{x: number, y: number, width: number, height: number}} */ (await view.locator(".board").boundingBox());
  await page.mouse.move(box.x + 150, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + 160, box.y + 60);
  await page.mouse.move(box.x + 150 + (box.width - 150) * 0.3, box.y + 60);
  await page.mouse.up();
  await expect(page).toHaveURL(/between=0-/);
  await page.getByRole("navigation", { name: "Parts of the run" }).getByRole("link", { name: "Logs" }).click();
  await expect(page).toHaveURL(/tab=logs&between=0-/);
  await expect(page.locator("log-view")).toHaveAttribute("data-drawn");
  await expect(page.getByLabel("From", { exact: true })).toBeVisible();
  await expect.poll(lines).toBeLessThan(all);
  // And back: what is chosen here is seen there.
  const t0 = Date.parse(run.created), end = 150;
  await page.getByLabel("To", { exact: true }).evaluate((e, to) => {
    const input = /** @type {HTMLInputElement} */ (e), at = new Date(to);
    input.value = new Date(to - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 23);
    input.dispatchEvent(new Event("change"));
  }, t0 + end);
  await expect(page).toHaveURL(new RegExp(`between=0-${end}`));
  await page.getByRole("navigation", { name: "Parts of the run" }).getByRole("link", { name: "Timeline" }).click();
  await expect(view).toHaveAttribute("data-drawn");
  await expect.poll(() => view.evaluate((e) => Math.round(/** @type {any} */ (e).view.u1))).toBe(end);
  await page.getByRole("button", { name: "Fit" }).click();
  await expect(page).not.toHaveURL(/between/);
});

test("the log of a run is chosen by task and attempt", async ({ page, server }) => {
  const steps = [{ task: "chat", args: ["hello"] }, { task: "shell", ignore: true, args: [{ command: "echo hi; exit 1" }], options: { retry: { max: 1 } } }];
  const run = await server.api("/runs?wait_ms=20000", { method: "POST", body: JSON.stringify({ name: "talk twice", pipeline: { runnel: 1, steps } }) });
  await page.goto(`${server.url}/runs/${run.id}?tab=logs`);
  await expect(page.locator("log-view")).toHaveAttribute("data-drawn");
  const by = page.locator("log-view .isle-line .by");
  await expect(by.filter({ hasText: "chat" }).first()).toBeVisible();
  await page.getByRole("combobox", { name: "Task", exact: true }).selectOption("shell");
  await expect(by.filter({ hasText: "chat" })).toHaveCount(0);
  await expect(by.filter({ hasText: /^shell-\d+$/ }).first()).toBeVisible();
  await page.getByLabel("Attempt").fill("2");
  await expect(by.filter({ hasText: /^shell-\d+$/ })).toHaveCount(0);
  await expect(by.filter({ hasText: "#2" }).first()).toBeVisible();
});

test("the chart of what ran has a line at the limit", async ({ page, server }) => {
  const run = await runNamed(server, "waits for parallelism");
  await page.goto(`${server.url}/runs/${run.id}?tab=timeline`);
  await expect(page.locator("run-timeline .isle-key")).toContainText(/a group ≤ \d+/);
});
