import type { Reporter, TestCase, TestModule } from 'vitest/node'

/**
 * Ends a run with one line of totals, for people and scripts: `12 passed, 0 failed` or `12 passed, 0 failed, 1 skipped`.
 * Before it, each skipped test with its reason. Failed counts everything that went wrong: tests, hooks, files that could
 * not be loaded, tests that never finished, and errors outside of any test.
 */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const skipped = tests.filter((test) => state(test) === 'skipped')
    const passed = tests.filter((test) => state(test) === 'passed').length
    const broken = modules
      .flatMap((module) => [module, ...module.children.allSuites()])
      .flatMap((suite) => suite.errors())
    const failed = tests.length - passed - skipped.length + broken.length + unhandledErrors.length

    for (const test of skipped)
      console.log(`skipped: ${test.module.relativeModuleId} > ${test.fullName}: ${reason(test)}`)
    console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
  }
}

function state(test: TestCase) {
  return test.result().state
}

function reason(test: TestCase): string {
  const result = test.result()
  return (result.state === 'skipped' && result.note) || 'no reason given'
}
