import { provideChromium } from './chromium.ts'
import { provideNginx } from './nginx.ts'
import { providePgBouncer } from './pgbouncer.ts'
import { providePostgres } from './postgres.ts'
import { provideRedis } from './redis.ts'
import { provideReverseProxies } from './reverse-proxies.ts'
import { provideSqlite } from './sqlite.ts'
import { provideOtherBrowsers } from './web-driver.ts'

/** Runs once before all test files. */
export default function setup(): void {
  provideChromium()
  provideNginx()
  providePostgres()
  providePgBouncer()
  provideRedis()
  provideReverseProxies()
  provideSqlite()
  provideOtherBrowsers()
}
