import { systemClock } from '../../common/timing.ts'
import { Dialer } from './link.ts'
import { unreachableError } from './pg-errors.ts'
import { targetsOf } from './target.ts'

/** Each server has one connection on which it listens, and no command has. */
const COUNT = `
SELECT count(*)::integer AS count FROM pg_stat_activity
WHERE application_name = 'coedit listen' AND datname = current_database()`

/** How many servers are connected to the database. Rejects with STORAGE_UNREACHABLE. */
export async function countServers(url: string): Promise<number> {
  try {
    const link = await new Dialer(targetsOf(url, 'copy'), systemClock).dial()
    const [row] = await link.query<{ count: number }>({ text: COUNT }).finally(() => link.end())
    return row?.count ?? 0
  } catch (error) {
    throw unreachableError(error)
  }
}
