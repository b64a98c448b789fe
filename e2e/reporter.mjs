/** Ends the output with one line that a program can read. */
export default class Counts {
  passed = 0;
  failed = 0;

  /** @param {import("@playwright/test/reporter").TestCase} test @param {import("@playwright/test/reporter").TestResult} result */
  onTestEnd(test, result) {
    if (result.status === "passed") this.passed++;
    else if (result.status !== "skipped" || test.expectedStatus !== "skipped") this.failed++;
  }

  /** @param {import("@playwright/test/reporter").FullResult} result */
  onEnd(result) {
    if (this.passed + this.failed === 0) this.failed = 1; // no test ran
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return result;
  }

  printsToStdio() { return true; }
}
