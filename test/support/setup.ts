import { provideChromium } from './chromium.ts'

/** Runs once before all test files. */
export default function setup(): void {
  provideChromium()
}
