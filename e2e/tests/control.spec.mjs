import { expect, runNamed, test } from "../server.mjs";

/** @param {import("@playwright/test").Page} page @param {string} verb @param {string} [reason] */
async function act(page, verb, reason = "a test") {
  await page.getByRole("main").getByRole("link", { name: verb, exact: true }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await dialog.getByLabel("Reason").fill(reason);
  await dialog.getByRole("button").first().click();
}

test("a run is paused, resumed and cancelled, and the audit log has who and why", async ({ page, server }) => {
  const run = await runNamed(server, "waits for parallelism");
  await page.goto(`${server.url}/runs/${run.id}`);
  await act(page, "Pause", "lunch");
  await expect(page.locator(".head")).toContainText("paused");
  await act(page, "Resume");
  await expect(page.locator(".head")).toContainText("running");
  await act(page, "Cancel", "no longer wanted");
  await expect(page.locator(".head")).toContainText(/cancell(ing|ed)/);
  const { items } = await server.api("/audit");
  const mine = items.filter((/** @type {{path: string}} */ e) => e.path.includes(run.id));
  expect(mine.map((/** @type {{reason: string}} */ e) => e.reason)).toEqual(expect.arrayContaining(["lunch", "no longer wanted"]));
});

test("a dialog that is left changes nothing", async ({ page, server }) => {
  const run = await runNamed(server, "waits for its time");
  await page.goto(`${server.url}/runs/${run.id}`);
  await page.getByRole("main").getByRole("link", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByRole("link", { name: "Leave it" }).click();
  await expect(page.getByRole("dialog")).toBeHidden();
  expect((await server.api(`/runs/${run.id}`)).state).toBe("RUNNING");
});

test("a failed run is retried from its page", async ({ page, server }) => {
  const run = await runNamed(server, "late");
  await page.goto(`${server.url}/runs/${run.id}`);
  await act(page, "Retry");
  await expect.poll(async () => (await server.api(`/runs/${run.id}`)).generation).toBeGreaterThan(run.generation ?? 0);
});

test("a failed task is opened in two clicks and retried from there", async ({ page, server }) => {
  const run = await runNamed(server, "pay");
  await page.goto(`${server.url}/runs?q=state:failed`);
  await page.getByRole("link", { name: "pay", exact: true }).click();
  await page.getByRole("link", { name: "Look at it" }).click();
  const panel = page.getByRole("complementary");
  await expect(panel).toContainText("connection refused");
  await panel.getByRole("link", { name: "Retry from here" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("all that comes after it");
  await dialog.getByLabel("Reason").fill("the bank is back");
  await dialog.getByRole("button", { name: "Retry from here" }).click();
  await expect.poll(async () => (await server.api(`/runs/${run.id}`)).generation).toBe(1);
  await expect(page).toHaveURL(/task=\d+/); // the panel is still open
  const { items } = await server.api("/audit");
  expect(items.find((/** @type {{path: string}} */ e) => e.path.includes(`${run.id}/tasks/`))?.reason).toBe("the bank is back");
});

test("a task that runs is cancelled on its page", async ({ page, server }) => {
  const made = await server.api("/runs", { method: "POST", body: JSON.stringify({ task: "weigh", args: ["alone"], name: "alone" }) });
  await page.goto(`${server.url}/runs/${made.id}/tasks/0`);
  await act(page, "Cancel", "asked twice");
  await expect.poll(async () => (await server.api(`/runs/${made.id}`)).state).toBe("FAILED");
  await expect(page.getByRole("main")).toContainText("cancelled by a request");
});

test("all runs that a filter chooses are cancelled at once", async ({ page, server }) => {
  const made = await Promise.all(Array.from({ length: 5 }, () => server.api("/runs", {
    method: "POST", body: JSON.stringify({ task: "weigh", args: ["bulk"], name: "bulk" }),
  })));
  await page.goto(`${server.url}/runs?q=${encodeURIComponent("name:bulk")}`);
  await page.locator("#runs tbody").getByRole("checkbox").first().check();
  await page.getByLabel("all that match the filter").check();
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText("5 runs");
  await dialog.getByLabel("Reason").fill("too many");
  await dialog.getByRole("button", { name: /^Cancel/ }).click();
  for (const run of made) {
    await expect.poll(async () => (await server.api(`/runs/${run.id}`)).state).toBe("CANCELLED");
  }
});

test("task runs that are ticked are cancelled at once, and so are all of a run", async ({ page, server }) => {
  const call = { task: "weigh", args: ["many"] };
  const run = await server.api("/runs", { method: "POST", body: JSON.stringify({ name: "ticks", pipeline: { runnel: 1, steps: [{ children: Array.from({ length: 4 }, () => ({ steps: [call] })) }] } }) });
  await page.goto(`${server.url}/runs/${run.id}?tab=tasks`);
  const boxes = page.locator("main tbody").getByRole("checkbox");
  await expect(boxes).toHaveCount(4);
  await boxes.nth(0).check();
  await boxes.nth(1).click({ modifiers: ["Shift"] });
  await expect(page.getByText("2 ticked")).toBeVisible();
  await page.getByRole("main").getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByLabel("Reason").fill("two of them");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 2 task runs" }).click();
  await expect(page).toHaveURL(/tab=tasks/);
  await expect(page.locator("main tbody tr", { hasText: "cancelled" })).toHaveCount(2);
  await page.locator("main tbody").getByRole("checkbox").first().check();
  await page.getByLabel("all of this run").check();
  await page.getByRole("main").getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Cancel 4 task runs" }).click();
  await expect.poll(async () => (await server.api(`/runs/${run.id}`)).state).toBe("FAILED");
});

test("two browsers see the same", async ({ page, browser, server }) => {
  const run = await runNamed(server, "waits for its next attempt");
  const other = await browser.newPage();
  await Promise.all([page, other].map((p) => p.goto(`${server.url}/runs/${run.id}`)));
  await expect(other.getByRole("button", { name: "live" })).toBeVisible();
  await act(page, "Pause");
  await expect(other.locator(".head")).toContainText("paused");
  await other.close();
});

test("without JavaScript actions are forms", async ({ browser, server }) => {
  const run = await runNamed(server, "waits for an answer");
  const page = await (await browser.newContext({ javaScriptEnabled: false })).newPage();
  await page.goto(`${server.url}/runs/${run.id}`);
  await page.getByRole("main").getByRole("link", { name: "Pause", exact: true }).click();
  await page.getByRole("button", { name: "Pause the run" }).click();
  await expect(page.locator(".head")).toContainText("paused");
  await page.close();
});
