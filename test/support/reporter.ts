import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node'

/**
 * Ends a run with one line of totals, for people and scripts: `12 passed, 0 failed` or `12 passed, 0 failed, 1 skipped`.
 * Before it, each skipped test with its reason, and each failure with the beginning of its message and of its cause's: a
 * property's message names the seed, and what was wrong stands in the cause. Failed counts everything that went wrong:
 * tests, hooks, files that could not be loaded, tests that never finished, and errors outside of any test.
 */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const skipped = tests.filter((test) => state(test) === 'skipped')
    const passed = tests.filter((test) => state(test) === 'passed').length
    const failures = [
      ...tests
        .filter((test) => !['passed', 'skipped'].includes(state(test)))
        .map((test) => `${place(test)}: ${message(test.result().errors?.[0] ?? 'it never finished')}`),
      ...modules
        .flatMap((module) => [module, ...module.children.allSuites()])
        .flatMap((suite) => suite.errors().map((error) => `${place(suite)}: ${message(error)}`)),
      ...unhandledErrors.map((error) => `outside of any test: ${message(error)}`),
    ]

    for (const test of skipped) console.log(`skipped: ${place(test)}: ${reason(test)}`)
    for (const failure of failures) console.log(`failed: ${failure}`)
    console.log(`${passed} passed, ${failures.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
  }
}

function state(test: TestCase) {
  return test.result().state
}

function reason(test: TestCase): string {
  const result = test.result()
  return (result.state === 'skipped' && result.note) || 'no reason given'
}

function place(of: TestCase | TestSuite | TestModule): string {
  return of.type === 'module' ? of.relativeModuleId : `${of.module.relativeModuleId} > ${of.fullName}`
}

/** Lines of a message that a summary shows: of a property's, what it says, its seed and its counterexample. */
const SHOWN_LINES = 3

function message(error: unknown): string {
  const { message: text = error, cause } = Object(error) as { message?: unknown; cause?: unknown }
  const lines = stripVTControlCharacters(String(text)).split('\n').slice(0, SHOWN_LINES)
  const shown = lines.filter((line) => line.trim() !== '').join(' ')
  return cause === undefined ? shown : `${shown} because ${message(cause)}`
}
