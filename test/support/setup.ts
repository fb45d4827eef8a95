import { provideChromium } from './chromium.ts'
import { provideNginx } from './nginx.ts'
import { providePostgres } from './postgres.ts'

/** Runs once before all test files. */
export default function setup(): void {
  provideChromium()
  provideNginx()
  providePostgres()
}
